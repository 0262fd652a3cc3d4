"""Files that are read and made: nothing is passed over, replaced or renamed without a word."""

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_files import names_in, write
from PIL import Image

import codec
from codec import ConfigError, ExistsError, MediaError
from codec.measure.sweep import load_clip
from codec.picture.colour import to_array
from codec.picture.planes import Picture, PictureFormat, SampleFormat
from codec.picture.sinks import open_sink
from codec.picture.sources import open_source
from codec.show.report import make_report
from codec.whole_file import publish, whole_file

ROOT = Path(__file__).parent.parent
LONG = "x" * 300
QUICK = codec.Settings("float16", "none")
needs_links = pytest.mark.skipif(os.name == "nt", reason="links and pipes as POSIX has them")


def samples(shape=(4, 6, 3), seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def save(path, array):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(array).save(path)
    return path


@pytest.fixture
def frames(tmp_path):
    """A folder of three pictures, f1.png to f3.png."""
    for number in (1, 2, 3):
        save(tmp_path / "frames" / f"f{number}.png", samples(seed=number))
    return tmp_path / "frames"


@pytest.fixture
def clip(tmp_path, frames):
    """An .mvz file of these pictures."""
    codec.encode(frames, tmp_path / "clip.mvz", QUICK, rate=Fraction(30))
    return tmp_path / "clip.mvz"


def read(spec):
    """Arrays of the pictures of a source, and what it says of them."""
    with open_source(spec) as source:
        return [to_array(picture) for picture in source], source.notes


def decoded(path):
    return list(codec.decode(path))


def equal(expected, actual):
    return len(expected) == len(actual) and all(map(np.array_equal, expected, actual))


# ------------------------------------------------------------------------------------------- nothing is passed over


@needs_links
@pytest.mark.parametrize("wrong", ["dangling", "loop", "fifo", "folder"])
@pytest.mark.parametrize("spec", ["", "/*.png", "/f%d.png", "list"])
def test_what_has_a_pictures_name_and_is_none_is_refused_by_name(frames, wrong, spec):
    path = frames / "f3.png"
    path.unlink()
    if wrong == "fifo":
        os.mkfifo(path)
    elif wrong == "folder":
        path.mkdir()
    else:
        path.symlink_to("f3.png" if wrong == "loop" else "annex/objects/f3.png")
    says = {"fifo": "is a pipe", "folder": "is a folder"}.get(wrong, "is a link that leads to no file")
    with pytest.raises(MediaError, match=rf"f3\.png: {says}"):
        read(list(frames.iterdir()) if spec == "list" else f"{frames}{spec}")


@needs_links
def test_a_single_link_to_nothing_is_called_that(tmp_path):
    (tmp_path / "a.png").symlink_to("nothing.png")
    with pytest.raises(MediaError, match=r"a\.png: is a link that leads to no file"):
        open_source(tmp_path / "a.png")


@needs_links
def test_links_to_pictures_are_pictures(frames):
    (frames / "f4.png").symlink_to("f1.png")
    assert equal([samples(seed=seed) for seed in (1, 2, 3, 1)], read(frames)[0])


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("spec", ["frames", "frames/*.png", "*/f*.png", "frames/f%d.png"])
@pytest.mark.parametrize("rights", [0, 0o100, 0o400])
def test_a_folder_that_must_not_be_read_is_named(frames, spec, rights):
    save(frames.parent / "more" / "f4.png", samples())
    frames.chmod(rights)
    try:
        with pytest.raises(MediaError, match=r"frames.*: cannot be read"):
            read(f"{frames.parent}/{spec}")
    finally:
        frames.chmod(0o700)


def test_a_name_that_no_system_takes_is_a_media_error():
    with pytest.raises(MediaError, match=r"cannot be read: .*[Nn]ame too long|no such file"):
        open_source("x" * 5000)


@pytest.mark.parametrize("spec", ["", "/*"])
def test_files_that_are_no_pictures_by_name_are_left_out_and_counted(frames, spec):
    for name in ("notes.txt", "frame.xyz", "film.mp4", ".hidden"):
        (frames / name).write_bytes(b"no picture")
    (frames / "sub").mkdir()
    pictures, notes = read(f"{frames}{spec}")
    assert equal([samples(seed=seed) for seed in (1, 2, 3)], pictures)
    assert [f"{frames}{spec}: 3 other files left out, such as film.mp4"] == notes


def test_a_folder_without_pictures_says_what_is_there(tmp_path):
    (tmp_path / "a.dat").write_bytes(b"x")
    with pytest.raises(MediaError, match=r"no picture files there; 1 other file left out, such as a\.dat, whose name"):
        open_source(tmp_path)


def test_encode_says_what_was_left_out(mvz, frames, tmp_path):
    (frames / "notes.txt").write_text("no picture")
    code, out, err = mvz("encode", frames, "-o", tmp_path / "a.mvz", "--residual", "float16", "--json")
    assert (0, f"mvz: note: {frames}: 1 other file left out, such as notes.txt\n") == (code, err)
    assert [f"{frames}: 1 other file left out, such as notes.txt"] == json.loads(out)["notes"]


@pytest.mark.parametrize("names", [("f-2", "f-1", "f0", "f1"), ("-1", "0", "1"), ("t-1_a", "t0_a", "t1_a")])
def test_numbers_with_and_without_a_sign_are_refused_together(tmp_path, names):
    for name in names:
        save(tmp_path / f"{name}.png", samples())
    with pytest.raises(MediaError, match=r"-[12].*\.png: is this before or behind"):
        open_source(tmp_path)


def test_a_hyphen_before_every_number_is_no_sign(tmp_path):
    for number in (3, 2, 1):
        save(tmp_path / f"2024-05-shot-{number}.png", samples(seed=number))
    with open_source(tmp_path) as source:
        assert [f"2024-05-shot-{number}.png" for number in (1, 2, 3)] == [picture.name for picture in source]


# ------------------------------------------------------------------------------------------- other sources


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_gray_pictures_among_rgb_are_read_as_rgb_with_a_note(tmp_path, order):
    save(tmp_path / f"f{order[0]}.png", samples((4, 6), 1))
    save(tmp_path / f"f{order[1]}.png", samples((4, 6, 3), 2))
    expected = [np.dstack([samples((4, 6), 1)] * 3), samples((4, 6, 3), 2)][:: 3 - 2 * order[0]]
    pictures, notes = read(tmp_path)
    assert equal(expected, pictures)
    assert [f"{tmp_path}: gray pictures among RGB, 1 such as f{order[0]}.png, are read as RGB"] == notes


def test_an_mvz_file_is_a_source_with_its_planes_rate_and_names(tmp_path, moving):
    pictures = [Picture(of.format, of.planes, f"p{number}") for number, of in enumerate(moving("yuv422", 17, 9))]
    codec.encode(pictures, tmp_path / "a.mvz", QUICK, rate=30)
    codec.encode(tmp_path / "a.mvz", tmp_path / "b.mvz", codec.Settings("float16", "block"))
    with codec.open(tmp_path / "b.mvz") as video:
        assert (30, pictures[0].format) == (video.rate, video.format)
        assert all(map(Picture.same_samples, pictures, video.pictures()))
        assert ["p0", "p1", "p2", "p3"] == [picture.name for picture in video.pictures()]
        codec.encode(video, tmp_path / "c.mvz", QUICK)
    assert (tmp_path / "a.mvz").read_bytes() == (tmp_path / "c.mvz").read_bytes()


def test_an_mvz_file_is_known_by_its_first_bytes_and_measured_like_other_sources(clip, frames):
    other = clip.rename(clip.with_name("clip.bin"))
    assert equal([samples(seed=seed) for seed in (1, 2, 3)], read(other)[0])
    assert Fraction(30) == load_clip(other).rate
    damaged = bytearray(other.read_bytes())
    damaged[-60] ^= 1
    other.write_bytes(damaged)
    with pytest.raises(codec.BitstreamError, match=r"clip\.bin"):
        codec.encode(other, clip.with_name("x.mvz"), QUICK)
    assert ["clip.bin", "frames"] == names_in(clip.parent)


def test_without_the_libraries_films_are_refused_with_what_brings_them_and_the_pipe_that_works(
    mvz, clip, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "av", None)
    for module in ("films", "film_writing", "pixel_layouts"):
        monkeypatch.delitem(sys.modules, f"codec.picture.{module}", raising=False)
    film = tmp_path / "my film.mp4"
    film.write_bytes(b"\0\0\0\x18ftypmp42")
    brings = "python -m pip install 'mvz[video]' reads and writes films"
    pipe = f"ffmpeg -i '{film}' -pix_fmt yuv420p -f yuv4mpegpipe - | mvz encode - -o 'my film'.mvz"
    refused = f"mvz: {film}: is a video; {brings}, or ffmpeg makes pictures of it: {pipe}\n"
    assert (1, "", refused) == mvz("encode", film, "-o", tmp_path / "x.mvz")
    pipe = "mvz decode FILE -o - | ffmpeg -i - 'my film.mkv'"
    monkeypatch.chdir(tmp_path)
    refused = f"mvz: my film.mkv: is a film; {brings}, or ffmpeg makes it: {pipe}\n"
    assert (1, "", refused) == mvz("decode", clip, "-o", "my film.mkv")
    assert not (tmp_path / "my film.mkv").exists()


ITEMS = {
    "arrays": lambda: [samples((4, 6), seed) for seed in range(3)],
    "columns": lambda: [samples((4, 6), seed)[..., None] for seed in range(3)],
    "pictures": lambda: [Picture.from_array(samples((4, 6), seed)) for seed in range(3)],
    "images": lambda: [Image.fromarray(samples((4, 6), seed)) for seed in range(3)],
    "views": lambda: [memoryview(samples((4, 6), seed)) for seed in range(3)],
}


@pytest.mark.parametrize("kind", ITEMS)
@pytest.mark.parametrize("form", [list, tuple, iter, lambda items: (item for item in items)])
def test_lists_and_iterators_of_pictures_are_encoded(kind, form, tmp_path):
    codec.encode(form(ITEMS[kind]()), tmp_path / "a.mvz", QUICK, rate=Fraction(10))
    assert equal([samples((4, 6), seed) for seed in range(3)], decoded(tmp_path / "a.mvz"))


def test_a_generator_is_read_as_it_goes_and_may_fill_the_same_array_again(tmp_path):
    made = []

    def pictures():
        buffer = np.empty((4, 6, 3), np.uint8)
        for seed in range(40):
            buffer[:] = samples(seed=seed)
            made.append(seed)
            yield buffer

    written = []
    codec.encode(
        pictures(),
        tmp_path / "a.mvz",
        codec.Settings("float16", "none", gop=2),
        progress=lambda _: written.append(len(made)),
    )
    assert list(range(1, 41)) == written
    assert equal([samples(seed=seed) for seed in range(40)], decoded(tmp_path / "a.mvz"))


def test_a_generator_is_read_once_and_a_list_again(tmp_path):
    arrays = [samples(seed=seed) for seed in range(3)]
    with open_source(arrays) as source:
        assert (3, 3, 3) == (source.count, len(list(source)), len(list(source)))
    with open_source(iter(arrays)) as source:
        assert (None, 3) == (source.count, len(list(source)))
        with pytest.raises(MediaError, match="can be read only once"):
            list(source)


@pytest.mark.parametrize(
    ("items", "error", "says"),
    [
        ([], MediaError, "list: has no pictures"),
        (iter(()), MediaError, "has no pictures"),
        ([samples(), "a.png"], ConfigError, "picture 1: a picture is uint8"),
        (["a.png", samples()], ConfigError, "either paths or pictures"),
        ([samples(), samples((4, 6))], MediaError, "picture 1 is 6×4 gray, unlike the first: 6×4 rgb"),
        ([samples().astype(float)], ConfigError, "picture 0: .*float64"),
        ([3], ConfigError, "picture 0: a picture is uint8"),
        ([Image.new("CMYK", (2, 2))], MediaError, "picture 0: is CMYK"),
        (b"frames", ConfigError, "not bytes"),
        ({"a": 1}, ConfigError, "not dict"),
        (["a.png", ""], ConfigError, "an empty name"),
        ("", ConfigError, "an empty name for pictures; the current folder is ."),
    ],
)
def test_what_is_no_sequence_of_pictures_is_refused_with_what_it_is(items, error, says, tmp_path):
    with pytest.raises(error, match=says):
        codec.encode(items, tmp_path / "a.mvz", QUICK)
    assert [] == names_in(tmp_path)


# ------------------------------------------------------------------------------------------- arrays


@pytest.mark.parametrize("form", ["array", "a.npy"])
def test_a_lone_picture_is_not_taken_for_gray_ones_of_width_3(form, tmp_path):
    lone = samples((5, 7, 3))[:, :3]
    np.save(tmp_path / "a.npy", lone)
    with pytest.raises(MediaError, match=r"\(5, 3, 3\) may be one RGB picture .*array\[None\]"):
        open_source(lone if form == "array" else tmp_path / "a.npy")
    assert equal([lone], read(lone[None])[0])
    assert equal(list(lone), read(lone[..., None])[0])


def test_a_npy_that_is_cut_while_it_is_read_is_a_media_error_and_leaves_nothing(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, samples((40, 64, 64)))

    def cut(progress):
        if progress.pictures == 5:
            os.truncate(path, 128 + 7 * 4096 + 100)

    with pytest.raises(MediaError, match=r"a\.npy: picture 7 ends early, at byte 100 of 4096"):
        codec.encode(path, tmp_path / "a.mvz", QUICK, progress=cut)
    assert ["a.npy"] == names_in(tmp_path)


def test_a_large_npy_is_read_picture_by_picture(tmp_path):
    shape = (3, 4096, 4096)  # 50 MB, sparse
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        file.truncate(file.tell() + np.prod(shape))
    script = (
        "import sys, tracemalloc, codec.picture.sources as sources\n"
        "tracemalloc.start()\n"
        "with sources.open_source(sys.argv[1]) as source:\n"
        "    for picture in source: del picture\n"
        "print(tracemalloc.get_traced_memory()[1])"
    )
    peak = int(subprocess.check_output([sys.executable, "-c", script, tmp_path / "a.npy"], cwd=ROOT))
    assert 4096 * 4096 < peak < 2.5 * 4096 * 4096


def test_a_npy_in_fortran_order_is_refused_where_it_would_not_fit(tmp_path):
    shape = (3, 32768, 32768)
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": True, "shape": (300, 2048, 2048)})
        file.truncate(file.tell() + np.prod(shape))
    with pytest.raises(MediaError, match=r"Fortran order; save numpy\.ascontiguousarray"):
        open_source(tmp_path / "a.npy")


# ------------------------------------------------------------------------------------------- an output is no input


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def hard_link(path, name):
    os.link(path, path.with_name(name))
    return path.with_name(name)


def test_encode_replaces_none_of_its_pictures_whatever_they_are_called(frames, tmp_path):
    linked = hard_link(frames / "f1.png", "linked")
    before = contents(frames)
    for output in (frames / "f1.png", linked):
        with pytest.raises(ConfigError, match=rf"{output.name}: is read at the same time, as .*f1\.png"):
            codec.encode(sorted(frames.glob("*.png")), output, QUICK, force=True)
    assert before == contents(frames)


def test_encode_replaces_neither_an_mvz_nor_a_y4m_nor_a_npy_that_it_reads(clip, tmp_path):
    np.save(tmp_path / "a.npy", samples((2, 4, 6)))
    write(tmp_path / "a.y4m", [Picture.from_array(samples((4, 6)))])
    for source in (clip, tmp_path / "a.npy", tmp_path / "a.y4m"):
        before = source.read_bytes()
        with pytest.raises(ConfigError, match="is read at the same time"):
            codec.encode(source, hard_link(source, f"linked-{source.suffix[1:]}"), QUICK, force=True)
        assert before == source.read_bytes()


def test_what_comes_through_standard_input_is_not_replaced(tmp_path):
    write(tmp_path / "a.y4m", [Picture.from_array(samples((4, 6)))])
    source = (tmp_path / "a.y4m").rename(tmp_path / "a")
    before = source.read_bytes()
    command = [sys.executable, "-m", "codec", "encode", "-", "-o", source, "--force"]
    with source.open("rb") as file:
        done = subprocess.run(command, cwd=ROOT, stdin=file, capture_output=True, check=False)
    assert (2, before) == (done.returncode, source.read_bytes())
    assert b"is read at the same time" in done.stderr


@pytest.mark.parametrize("suffix", [".y4m", ".npy", ".gif", ".png"])
def test_decode_does_not_replace_the_file_that_it_reads(mvz, clip, suffix):
    path = clip.rename(clip.with_suffix(suffix))
    before = path.read_bytes()
    code, _, err = mvz("decode", path, "-o", path, "--force", "--pictures", "1")
    assert (2, f"mvz: {path}: is read at the same time, as {path}; write to another file\n") == (code, err)
    assert before == path.read_bytes()


@pytest.mark.parametrize("target", ["", "/f%d.png"])
def test_decode_into_a_folder_does_not_replace_the_file_that_it_reads(mvz, clip, target):
    folder = clip.parent / "folder"
    folder.mkdir()
    os.link(clip, folder / "f2.png")
    code, _, err = mvz("decode", clip, "-o", f"{folder}{target}", "--force")
    assert (2, True) == (code, "f2.png: is read at the same time" in err)
    assert ["f2.png"] == names_in(folder)
    assert clip.read_bytes() == (folder / "f2.png").read_bytes()


def test_report_plot_and_inspect_do_not_replace_what_they_read(mvz, clip, frames):
    before = clip.read_bytes()
    drawing = clip.parent / "drawn" / "0001_residual.png"
    drawing.parent.mkdir()
    os.link(clip, drawing)
    refusals = [
        mvz("inspect", clip, "-o", clip, "--force"),
        mvz("plot", clip, "-o", drawing.parent, "--force"),
        mvz("report", clip, "-o", clip, "--force"),
        mvz("report", frames, "-o", clip.parent / "r.html", "--json", frames / "f1.png", "--force"),
        mvz("report", frames, "-o", clip.parent / "r.html", "--csv", frames / "f2.png", "--force"),
    ]
    assert [(2, True)] * 5 == [(code, "is read at the same time" in err) for code, _, err in refusals]
    assert before == clip.read_bytes() == drawing.read_bytes()
    assert equal([samples(seed=seed) for seed in (1, 2, 3)], read(frames)[0])


# ------------------------------------------------------------------------------------------- nothing is overwritten


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    target = tmp_path / "a.bin"
    with pytest.raises(ExistsError, match="exists by now"), whole_file(target) as file:
        file.write(b"ours")
        target.write_bytes(b"theirs")
    assert (b"theirs", ["a.bin"]) == (target.read_bytes(), names_in(tmp_path))
    with whole_file(target, force=True) as file:
        file.write(b"ours")
    assert (b"ours", ["a.bin"]) == (target.read_bytes(), names_in(tmp_path))


@pytest.mark.parametrize("taken", [False, True])
def test_without_hard_links_the_same_holds(tmp_path, monkeypatch, taken):
    def link(*_):
        raise PermissionError(1, "Operation not permitted")  # what Linux says on FAT

    monkeypatch.setattr(os, "link", link)
    (tmp_path / "ours").write_bytes(b"ours")
    if taken:
        (tmp_path / "a").write_bytes(b"theirs")
        with pytest.raises(ExistsError):
            publish(tmp_path / "ours", tmp_path / "a", force=False)
        assert b"theirs" == (tmp_path / "a").read_bytes()
    else:
        publish(tmp_path / "ours", tmp_path / "a", force=False)
        assert {"a": b"ours"} == contents(tmp_path)


@pytest.mark.parametrize("force", [False, True])
def test_a_temporary_file_that_somebody_took_away_is_an_error_and_no_empty_file(force, tmp_path):
    with pytest.raises(MediaError, match=r"a\.bin: cannot be written: No such file"):  # noqa: SIM117
        with whole_file(tmp_path / "a.bin", force=force):
            (left,) = tmp_path.iterdir()
            left.unlink()
    assert [] == names_in(tmp_path)


def test_pictures_that_appear_meanwhile_are_not_replaced_and_none_of_ours_stays(tmp_path):
    picture = Picture.from_array(samples())

    def appear():
        with open_sink(tmp_path / "p%d.png", picture.format, Fraction(25)) as sink:
            for _ in range(3):
                sink.write(picture)
            (tmp_path / "p2.png").write_bytes(b"theirs")

    with pytest.raises(ExistsError, match=r"p2\.png"):
        appear()
    assert {"p2.png": b"theirs"} == contents(tmp_path)


@needs_links
@pytest.mark.parametrize("name", ["a.mvz", "a.y4m", "p0.png", "folder"])
def test_a_link_to_nothing_is_not_replaced_without_force(name, tmp_path):
    (tmp_path / name).symlink_to("nothing")
    picture = Picture.from_array(samples())
    target = tmp_path / ("p%d.png" if name == "p0.png" else name)
    with pytest.raises(MediaError, match=r"exists|is a link to nothing"):
        if name == "a.mvz":
            codec.encode([picture], target, QUICK)
        else:
            write(target, [picture])
    assert ("nothing", [name]) == (str((tmp_path / name).readlink()), names_in(tmp_path))


@needs_links
def test_a_device_or_pipe_is_not_replaced_even_by_force(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MediaError, match="pipe: is a device or pipe"):
        codec.encode([samples()], tmp_path / "pipe", QUICK, force=True)


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("", "the output has no name"),
        ("-", "standard output cannot take this; name a file"),
        ("x.mp4", "an .mvz file is made, not .mp4; call it x.mvz, and then: mvz decode x.mvz -o x.mp4"),
        ("x.avi", "an .mvz file is made, not .avi; call it x.mvz, and then: mvz decode x.mvz -o - | ffmpeg -i - x.avi"),
        ("d/x.MKV", "call it d/x.mvz"),
        ("x.png", "an .mvz file is made, not .png; call it x.mvz"),
        ("x.gif", "call it x.mvz, and then: mvz decode x.mvz -o x.gif"),
        ("x.npy", "call it x.mvz"),
        ("x.y4m", "call it x.mvz"),
    ],
)
def test_encode_refuses_a_name_that_promises_something_else(output, says, mvz, frames, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, out, err = mvz("encode", frames, "-o", output)
    assert (2, "", True) == (code, out, says in err)
    with pytest.raises(ConfigError):
        codec.encode(frames, output, QUICK)
    assert ["frames"] == names_in(tmp_path)


@pytest.mark.parametrize("output", ["", "-"])
@pytest.mark.parametrize("command", ["decode", "plot", "inspect", "report"])
def test_no_command_takes_an_output_without_a_name(command, output, mvz, clip, monkeypatch):
    if (command, output) == ("decode", "-"):
        return  # Y4M on standard output
    before = names_in(clip.parent)
    monkeypatch.chdir(clip.parent)
    code, out, err = mvz(command, clip, "-o", output, "--force")
    assert (2, "", 1) == (code, out, err.count("\n"))
    assert before == names_in(clip.parent)


# ------------------------------------------------------------------------------------------- killed writers


@needs_links
def test_what_a_killed_writer_left_goes_with_the_next_and_what_a_living_one_has_stays(tmp_path):
    script = (
        "import sys, time\nfrom codec.whole_file import whole_file\n"
        "with whole_file(sys.argv[1]) as file: print(flush=True); time.sleep(60)"
    )
    target = tmp_path / "a.mvz"
    with subprocess.Popen([sys.executable, "-c", script, target], cwd=ROOT, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        (left,) = names_in(tmp_path)
        (tmp_path / ".a.mvz.part").write_bytes(b"somebody else's")
        codec.encode([samples()], target, QUICK)
        assert left in names_in(tmp_path)
        process.send_signal(signal.SIGKILL)
    codec.encode([samples()], target, QUICK, force=True)
    assert [".a.mvz.part", "a.mvz"] == names_in(tmp_path)


@needs_links
@pytest.mark.parametrize("target", ["out", "there", "there/p%d.png"])
def test_a_killed_decode_leaves_a_folder_that_the_next_removes(target, tmp_path, mvz):
    (tmp_path / "there").mkdir()
    with codec.Writer(tmp_path / "clip.mvz", (64, 64), "gray", codec.Settings("float16", "none", gop=1)) as out:
        for _ in range(300):
            out.append(samples((64, 64)))
    before = sorted(tmp_path.rglob("*"))
    command = [sys.executable, "-m", "codec", "decode", tmp_path / "clip.mvz", "-o", tmp_path / target, "--jobs", "1"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while sorted(tmp_path.rglob("*")) == before:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert 0 == mvz("decode", tmp_path / "clip.mvz", "-o", tmp_path / target, "--pictures", "0:2")[0]
    assert 2 == len([path for path in sorted(tmp_path.rglob("*")) if path not in before and path.is_file()])


# ------------------------------------------------------------------------------------------- names that come back


@pytest.mark.parametrize(
    ("names", "expected", "says"),
    [
        (["t:1.png", "t:2.png"], ["t_1.png", "t_2.png"], "2 such as 't:1.png' to 't_1.png'"),
        (["a" * 251 + ".png"], ["a" * 251 + ".png"], None),
        ([LONG + "9.png", LONG + "10.png"], ["x" * 214 + "_9.png", "x" * 214 + "_10.png"], "changed, 2 such as 'xxx"),
        (["t:1.png", "t?1.png"], ["000000.png", "000001.png"], "some are the same; they are numbered"),
        (["b.png", "a.png"], ["000000.png", "000001.png"], "in another order; they are numbered"),
        (["a.png", None], ["000000.png", "000001.png"], "some have none; they are numbered"),
        ([None, None], ["000000.png", "000001.png"], None),
        (["a.jpg", "b.tif"], ["a.png", "b.tif"], None),
    ],
)  # fmt: skip
def test_names_come_back_as_far_as_they_can_and_what_is_changed_is_said(names, expected, says, mvz, tmp_path):
    with codec.Writer(tmp_path / "clip.mvz", (6, 4), settings=QUICK) as out:
        for number, name in enumerate(names):
            out.append(samples(seed=number), name)
    code, _, err = mvz("decode", tmp_path / "clip.mvz", "-o", tmp_path / "out")
    assert (0, sorted(expected)) == (code, names_in(tmp_path / "out"))
    assert ("note" not in err) if says is None else err.startswith(f"mvz: note: {tmp_path}/out: ") and says in err
    assert equal([samples(seed=number) for number in range(len(names))], read(tmp_path / "out")[0])


def test_a_pattern_that_cannot_be_written_is_called_as_it_was_given(tmp_path):
    with pytest.raises(MediaError, match=r"%04d\.jpg: pictures are written as"):
        open_sink(tmp_path / "%04d.jpg", PictureFormat(6, 4, SampleFormat.RGB), Fraction(25)).__enter__()


def test_a_report_of_an_mvz_file_is_one_of_its_pictures(clip, tmp_path):
    (point,) = make_report(clip, tmp_path / "r.html", settings=[QUICK], jobs=1)
    assert (3 * 4 * 6 * 3, True) == (point.source_bytes, point.exact)
