"""More than one machine: GOPs and sweep points on a dask cluster, here of processes on this one."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import sys
import threading
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import codec
from codec.cli.cluster import _watch, workers_of

FRAMES = Path(__file__).parent.parent / "fixtures" / "sources" / "rgb_40x32"  # 4 pictures


@pytest.fixture(scope="module")
def cluster():
    """A scheduler with two workers, each a process of its own."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
    ) as cluster:
        yield cluster


class Lossy(Executor):
    """An executor that loses every call, as one does whose process is gone."""

    def submit(self, function, *arguments):
        future = Future()
        future.set_exception(CancelledError())
        return future


def test_processes_code_the_same_bytes(tmp_path):
    settings = codec.Settings(gop=1)
    codec.encode(FRAMES, tmp_path / "here.mvz", settings)
    with ProcessPoolExecutor(2) as executor:
        codec.encode(FRAMES, tmp_path / "there.mvz", settings, executor=executor)
        np.testing.assert_array_equal(
            codec.decode(tmp_path / "here.mvz"), codec.decode(tmp_path / "there.mvz", executor=executor)
        )
    assert (tmp_path / "here.mvz").read_bytes() == (tmp_path / "there.mvz").read_bytes()


def test_an_executor_that_loses_its_calls_is_an_error_of_ours_and_leaves_no_file(tmp_path):
    with pytest.raises(codec.CodecError, match="a worker is gone: CancelledError"):
        codec.encode(FRAMES, tmp_path / "x.mvz", codec.Settings(gop=1), executor=Lossy())
    assert [] == list(tmp_path.iterdir())


def test_a_cluster_makes_the_same_file(cluster, mvz, tmp_path):
    command = "encode", FRAMES, "--gop", 1, "--quiet", "-o"
    assert (0, "", "") == mvz(*command, tmp_path / "here.mvz")
    assert (0, "", "") == mvz(*command, tmp_path / "there.mvz", "--scheduler", cluster.scheduler_address)
    assert (tmp_path / "here.mvz").read_bytes() == (tmp_path / "there.mvz").read_bytes()


def die_once(mark: str, task):
    """`codec.encoder.encode_task` in a worker whose process is killed the first time that it is asked for picture 2."""
    from codec.encoder import encode_task

    if task.first_picture == 2 and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return encode_task(task)


@pytest.mark.skipif(sys.platform == "win32", reason="processes are killed as POSIX does")
def test_a_worker_that_dies_is_replaced_and_the_file_comes_out_the_same(cluster, tmp_path):
    distributed = pytest.importorskip("distributed")
    mark = tmp_path / "died"

    class Deadly(Executor):
        """Sends `die_once` instead of what it is given."""

        def __init__(self, executor):
            self.executor = executor

        def submit(self, function, task):
            return self.executor.submit(die_once, str(mark), task)

    settings = codec.Settings(gop=1)
    codec.encode(FRAMES, tmp_path / "here.mvz", settings)
    with distributed.Client(cluster, set_as_default=False) as client:
        client.run(sys.path.insert, 0, str(Path(__file__).parent))  # where die_once is
        executor = Deadly(client.get_executor())
        codec.encode(FRAMES, tmp_path / "there.mvz", settings, executor=executor, workers=2)
    assert mark.exists()
    assert (tmp_path / "here.mvz").read_bytes() == (tmp_path / "there.mvz").read_bytes()


def test_a_report_measures_on_the_cluster(cluster, mvz, tmp_path):
    options = "--residual", "int8", "--motion", "none,block", "--step", "8"
    numbers = tmp_path / "points.json"
    command = "report", FRAMES, "-o", tmp_path / "report.html", *options, "--json", numbers, "--quiet"
    assert (0, "", "") == mvz(*command, "--scheduler", cluster.scheduler_address)
    here = mvz(*("report", FRAMES, "-o", tmp_path / "here.html"), *options, "--json", tmp_path / "here.json", "--quiet")
    assert (0, "", "") == here
    there, here = (json.loads(path.read_text())["points"] for path in (numbers, tmp_path / "here.json"))
    assert [point["file_bytes"] for point in here] == [point["file_bytes"] for point in there]


def test_a_scheduler_that_is_not_there_is_wrong_use(mvz, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("codec.cli.cluster.CONNECT_SECONDS", 1)
    for address in ("tcp://127.0.0.1:1", "nonsense://here"):
        code, _, err = mvz("encode", FRAMES, "-o", tmp_path / "x.mvz", "--scheduler", address)
        assert (2, 1) == (code, err.count("\n")), err
        assert err.startswith(f"mvz: {address}: no scheduler there: ")
    assert [] == list(tmp_path.iterdir())


def test_workers_of_another_mvz_are_wrong_use(cluster, mvz, tmp_path, monkeypatch):
    monkeypatch.setattr("codec.cli.cluster.__version__", "99")
    code, _, err = mvz("encode", FRAMES, "-o", tmp_path / "x.mvz", "--scheduler", cluster.scheduler_address)
    assert (2, 1) == (code, err.count("\n")), err
    assert err.endswith(f": this worker has mvz {codec.__version__}; all need 99, as here\n")


def test_a_lost_scheduler_is_named(cluster):
    options = argparse.Namespace(scheduler=cluster.scheduler_address, jobs=None, quiet=True)
    said = f"^{cluster.scheduler_address}: the connection to the scheduler is lost$"
    with pytest.raises(codec.CodecError, match=said), workers_of(options):
        codec.encode(FRAMES, io.BytesIO(), codec.Settings(gop=1), executor=Lossy())


def test_that_no_worker_is_left_is_said_once(capsys, monkeypatch):
    monkeypatch.setattr("codec.cli.cluster.WATCH_SECONDS", 0.01)
    counts = iter([{"a": 1}, {}, {}, {"a": 1}])

    class Client:
        def nthreads(self):
            return next(counts)

    _watch(Client(), "tcp://here", threading.Event())
    left, again = capsys.readouterr().err.splitlines()
    assert "mvz: note: tcp://here: no worker is left; waiting for one, Ctrl-C gives up" == left
    assert "mvz: note: tcp://here: there are workers again" == again


def test_without_distributed_the_extra_is_named(mvz, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, err = mvz("encode", FRAMES, "-o", tmp_path / "x.mvz", "--scheduler", "tcp://127.0.0.1:1")
    assert (2, "mvz: --scheduler needs dask.distributed: pip install 'mvz[cluster]'\n") == (code, err)
