"""``mvz inspect``: one page, tried in a real browser without a network where Chromium and playwright are there."""

import base64
import io
import json
import re
import shutil
from dataclasses import astuple
from pathlib import Path
from shutil import rmtree

import numpy as np
import pytest
from PIL import Image

import codec
from codec.measure.metrics import measure_picture
from codec.measure.synthetic import moving_sequence
from codec.models import BlockKind
from codec.picture.colour import full_size
from codec.show.inspector import write_inspector

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OFFLINE = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


@pytest.fixture(scope="module")
def files(tmp_path_factory, moving):
    """A mesh file of RGB, and a block file of 4:2:0 whose pictures share packets."""
    folder = tmp_path_factory.mktemp("files")
    chosen = {
        "mesh": (list(moving_sequence(64, 48, 4)), codec.Settings("int8", "mesh", 8, gop=3)),
        "block": (moving("yuv420", 45, 37, 5), codec.Settings("lossless", "block", block=8, scene_cut=False)),
        "dct": (moving("yuv420", 45, 37, 3), codec.Settings("dct", "block", qp=24, scene_cut=False)),
        "gray": (moving("gray", 40, 24, 2), codec.Settings("int8", "none", 8, scene_cut=False)),
    }
    for name, (pictures, settings) in chosen.items():
        codec.encode(pictures, folder / f"{name}.mvz", settings)
    return folder


def page_of(path, target, **options):
    """The page's text, its data with that of the first file, and what writing it returned."""
    with codec.open(path) as video:
        summary = write_inspector(video, target, **options)
    text = target.read_text("utf-8")
    data = json.loads(re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[0])
    return text, data | data["files"][0], summary


def samples_of(url):
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB"))


def test_page_refers_to_nothing_outside_itself(files, tmp_path):
    text, _, summary = page_of(files / "mesh.mvz", tmp_path / "page.html")
    assert not re.search(r"https?:|src=|@import|url\(|<link|fetch\(|XMLHttp", re.sub(r"data:image[^\"]*", "", text))
    assert (4, 4, len(text.encode()), "") == astuple(summary)


@pytest.mark.parametrize("name", ["mesh", "block", "gray", "dct"])
def test_page_holds_samples_vectors_and_bits_as_they_are(files, tmp_path, name):
    _, data, _ = page_of(files / f"{name}.mvz", tmp_path / "page.html")
    with codec.open(files / f"{name}.mvz") as video:
        seen = list(video.inspections())
    assert len(seen) == len(data["pictures"]) == len(data["timeline"])
    for picture, entry, inside in zip(data["pictures"], data["timeline"], seen, strict=True):
        planes = full_size(inside.picture)
        expected = np.stack(planes if len(planes) == 3 else planes * 3, axis=2)
        assert np.array_equal(expected, samples_of(picture["decoded"]))
        assert (not inside.predictions) == (picture["prediction"] is None)
        if inside.field is not None:
            vectors = np.frombuffer(base64.b64decode(picture["vectors"]), "<f4")
            assert np.array_equal(inside.field.vectors_quarter_pel.ravel(), vectors)
        bits = sum(np.frombuffer(base64.b64decode(part), "<f4").sum() for part in picture["bits"].values())
        assert 8 * entry["bytes"] == pytest.approx(bits + picture["headerBits"], abs=1)
    packets = {tuple(picture["packet"]) for picture in data["pictures"]}
    in_packets = sum(size for _, _, size in packets)
    assert in_packets == pytest.approx(sum(entry["bytes"] for entry in data["timeline"]), abs=1)


def test_long_file_is_thinned_out_to_the_limit_and_says_so(mvz, files, tmp_path):
    _, whole, full = page_of(files / "block.mvz", tmp_path / "whole.html")
    shell = len(json.dumps(whole["pictures"]))
    limit = 100_000 + 5 * 160 + shell // 2
    text, data, summary = page_of(files / "block.mvz", tmp_path / "thin.html", limit_bytes=limit)
    assert [0, 2, 4] == [picture["number"] for picture in data["pictures"]] or [0, 4] == [
        picture["number"] for picture in data["pictures"]
    ]
    assert 5 == len(data["timeline"])
    assert summary.page_bytes <= limit < 100_000 + full.page_bytes
    assert f"{summary.shown} of 5" in text
    assert "--pictures A:B" in summary.note


def test_large_pictures_are_shown_in_fewer_samples(files, tmp_path, monkeypatch):
    monkeypatch.setattr("codec.show.inspector.MAX_SAMPLES", 64 * 48 // 4)
    text, data, _ = page_of(files / "mesh.mvz", tmp_path / "page.html")
    assert (2, 64, 48) == (data["shrink"], data["width"], data["height"])
    with codec.open(files / "mesh.mvz") as video:
        assert np.array_equal(video[1][::2, ::2], samples_of(data["pictures"][1]["decoded"]))
    assert "Of every 2 × 2 samples one is here" in text


def test_command_says_what_it_wrote(mvz, files, tmp_path):
    page = tmp_path / "page.html"
    code, out, err = mvz("inspect", files / "mesh.mvz", "-o", page, "--pictures", "1:3")
    assert (0, "") == (code, out)
    assert f"{page}: 2 pictures" in err
    assert (2, True) == (mvz("inspect", files / "mesh.mvz", "-o", page)[0], page.exists())
    assert 2 == mvz("inspect", files / "mesh.mvz", "-o", tmp_path / "none.html", "--pictures", "9:")[0]


def test_two_files_stand_side_by_side(mvz, files, tmp_path):
    exact = tmp_path / "exact.mvz"
    pictures = list(moving_sequence(64, 48, 4))
    codec.encode(pictures, exact)
    with codec.open(files / "mesh.mvz") as other:
        _, data, summary = page_of(exact, tmp_path / "page.html", other=other, start=1, stop=9)
        first, second = (of["pictures"] for of in data["files"])
        assert 3 == summary.shown == len(first) == len(second)
        assert np.array_equal(other[2], samples_of(second[1]["decoded"]))
        (seen,) = other.pictures(1, 2)
    psnr = data["files"][1]["timeline"][0]["psnr"]
    assert f"{measure_picture(pictures[1], seen).total.psnr:.2f}" == psnr
    assert 0 == mvz("inspect", exact, files / "mesh.mvz", "-o", tmp_path / "ab.html")[0]


def test_files_of_two_sizes_or_without_a_shared_picture_are_refused(mvz, files, tmp_path):
    page = tmp_path / "page.html"
    code, _, err = mvz("inspect", files / "mesh.mvz", files / "gray.mvz", "-o", page)
    assert (2, True, False) == (code, "not " in err and "64×48 and" in err and "40×24" in err, page.exists())
    code, _, err = mvz("inspect", files / "block.mvz", files / "dct.mvz", "-o", page, "--pictures", "3:")
    assert (2, True, False) == (code, "no such pictures" in err, page.exists())


@pytest.mark.parametrize("opens", [True, False])
def test_play_opens_a_page_or_prints_where_it_is(mvz, files, monkeypatch, opens):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    if opens:
        monkeypatch.setenv("DISPLAY", ":0")
    code, out, err = mvz("play", files / "mesh.mvz", "--pictures", ":2")
    page = Path(re.search(r"(\S+\.html)", out or err)[1])
    assert (0, "mesh.html") == (code, page.name)
    assert "mvz inspect" in page.read_text("utf-8")
    assert ([f"{page.as_uri()}#play"] if opens else []) == opened
    assert bool(out) != opens
    rmtree(page.parent)


# ------------------------------------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def browser():
    """Chromium without a network."""
    if CHROMIUM is None:
        pytest.skip("no Chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=OFFLINE)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, files, tmp_path):
    """A function that opens the page of a file; afterwards the page must have complained of nothing."""
    complaints, contexts, requests = [], [], []

    def open_page(name, fragment="", **options):
        target = tmp_path / f"{name}.html"
        if not target.exists():
            page_of(files / f"{name}.mvz", target)
        contexts.append(browser.new_context(offline=True, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        url = f"{target.as_uri()}{fragment}"
        page.on("request", lambda request: requests.append(request.url))
        page.goto(url)
        page.wait_for_selector("body[data-shown]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [] == complaints
    assert [] == [url for url in requests if not url.startswith((tmp_path.as_uri(), "data:image/"))]
    assert len(contexts) == sum(url.startswith("file:") for url in requests)


def test_arrows_home_and_end_walk_through_the_pictures(opened):
    page = opened("mesh")
    for key, expected in [
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("End", 3),
        ("ArrowRight", 3),
        ("Home", 0),
    ]:
        page.keyboard.press(key)
        page.wait_for_selector(f"body[data-shown='{expected}']")
        assert f"picture {expected} of 0…3" == page.inner_text("#position")


@pytest.mark.parametrize("name", ["mesh", "block", "gray", "dct"])
def test_values_under_the_cursor_are_those_of_the_file(opened, files, name):
    page = opened(name, "#picture=1")
    with codec.open(files / f"{name}.mvz") as video:
        seen = video.inspect(1)
    height, width = seen.picture.planes[0].shape
    box = page.locator("#picture").bounding_box()
    for x, y in [(0, 0), (width - 1, height - 1), (13, 10)]:
        page.mouse.move(box["x"] + (x + 0.5) * box["width"] / width, box["y"] + (y + 0.5) * box["height"] / height)
        page.wait_for_function(f"document.querySelector('#values').innerText.includes('{x}, {y}')")
        rows = dict(row.split("\t") for row in page.inner_text("#values table, #values").splitlines() if "\t" in row)
        decoded, predicted = (
            [int(plane[y, x]) for plane in full_size(of)] for of in (seen.picture, seen.predictions[0])
        )
        letters = " ".join(seen.picture.format.sample_format.plane_names)
        assert " ".join(map(str, decoded)) == rows[f"decoded {letters}"]
        assert " ".join(map(str, predicted)) == rows["prediction"]
        differences = [a - b for a, b in zip(decoded, predicted, strict=True)]
        assert " ".join(f"{value:+d}".replace("-", "−") if value else "0" for value in differences) == rows["residual"]
        cell = (y // seen.header.cell_size, x // seen.header.cell_size)
        assert float(rows["bits of the cell"].replace(",", "")) == pytest.approx(
            sum(bits[cell] for bits in seen.cell_bits.values()), abs=0.06
        )
        assert (seen.coding_blocks is not None) == ("coding block" in rows)
        if seen.coding_blocks is not None:
            top, left, side = seen.coding_blocks.places.T
            (block,) = np.flatnonzero((top <= y) & (y < top + side) & (left <= x) & (x < left + side))
            kind = BlockKind(seen.coding_blocks.kinds[block]).label
            obmc = ", OBMC" if seen.coding_blocks.obmc[block] else ""
            assert f"{side[block]} × {side[block]}, {kind}{obmc}" == rows["coding block"]
            both = seen.coding_blocks.vectors_quarter_pel, seen.coding_blocks.second_vectors_quarter_pel
            is_b = len(seen.references) > 1
            names = ("from before", "from after") if is_b else ("comes from", "and from")
            for reference, (name, vectors) in enumerate(zip(names, both, strict=True)):
                dy, dx = vectors[block] / 4
                is_there = seen.coding_blocks.directions[block] >> reference & 1
                expected = f"{dx:g}, {dy:g}".replace("-", "−") if is_there else None
                assert expected == rows.get(f"{name}, dx, dy")
            assert "{}, {}".format(*seen.qps) == rows["qp, qp of chroma"]


def test_picture_on_the_screen_is_the_decoded_one(opened, files):
    for name in ("mesh", "block"):
        page = opened(name, "#picture=1")
        pixels = page.evaluate(
            "Array.from(document.querySelector('#picture').getContext('2d').getImageData(0, 0, 20, 9).data)"
        )
        with codec.open(files / f"{name}.mvz") as video:
            expected = video[1][:9, :20]
        assert np.array_equal(expected, np.reshape(pixels, (9, 20, 4))[..., :3])


def test_residual_is_around_grey_and_amplified(opened, files):
    page = opened("mesh", "#picture=1&view=residual")
    pixels = page.evaluate(
        "Array.from(document.querySelector('#picture').getContext('2d').getImageData(0, 0, 64, 48).data)"
    )
    with codec.open(files / "mesh.mvz") as video:
        seen = video.inspect(1)
    difference = np.stack(
        [a.astype(int) - b for a, b in zip(seen.picture.planes, seen.predictions[0].planes, strict=True)], 2
    )
    assert np.array_equal(np.clip(128 + 4 * difference, 0, 255), np.reshape(pixels, (48, 64, 4))[..., :3])


@pytest.mark.parametrize(("name", "key"), [*(("mesh", key) for key in "cvmb"), *(("dct", key) for key in "lcvb")])
def test_keys_draw_on_top_and_take_away(opened, name, key):
    page = opened(name, "#picture=1")
    drawn = (
        "new Uint32Array(document.querySelector('#overlay').getContext('2d').getImageData(0, 0, 200, 200).data.buffer)"
    )
    assert 0 == page.evaluate(f"{drawn}.filter(Boolean).length")
    page.keyboard.press(key)
    assert page.evaluate(f"{drawn}.filter(Boolean).length") > 200
    page.keyboard.press(key)
    assert 0 == page.evaluate(f"{drawn}.filter(Boolean).length")


def test_coding_blocks_that_take_the_mesh_have_a_colour_and_their_legend_its_place(browser, turning, tmp_path):
    page_of(turning, tmp_path / "page.html")
    with codec.open(turning) as video:
        blocks = video.inspect(1).coding_blocks
    for width in (1300, 1000, 420):
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.goto(f"{(tmp_path / 'page.html').as_uri()}#picture=1&show=coding_blocks")
        page.wait_for_selector("body[data-shown='1']")
        for top, left, side in blocks.places[blocks.kinds == BlockKind.WARPED]:
            place = f"canvas.width * {(left + side / 2) / 128}, canvas.width * {(top + side / 2) / 128}, 1, 1"
            drawn = f"canvas => Array.from(canvas.getContext('2d').getImageData({place}).data)"
            assert [0, 153, 136] == pytest.approx(page.locator("#overlay").evaluate(drawn)[:3], abs=3)
        legend, fieldset = (page.locator(place).bounding_box() for place in (".swatch.warped >> ..", "#kinds-legend"))
        assert legend["x"] + legend["width"] <= fieldset["x"] + fieldset["width"]
        assert "warped" in page.inner_text("#kinds-legend")
        assert not page.is_visible("#modes-legend")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.close()


def test_values_under_the_cursor_are_in_sight_beside_a_large_picture(browser, tmp_path):
    codec.encode(np.zeros((2, 360, 640), np.uint8), tmp_path / "wide.mvz", codec.Settings("dct"))
    page_of(tmp_path / "wide.mvz", tmp_path / "page.html")
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{(tmp_path / 'page.html').as_uri()}#picture=1")
    page.wait_for_selector("body[data-shown='1']")
    page.hover("#picture")
    box = page.locator("#values").bounding_box()
    assert box["y"] + box["height"] <= 800
    page.close()


def test_views_layers_play_and_timeline_work_in_both_schemes_and_sizes(opened):
    for scheme, width in (("light", 1300), ("dark", 420)):
        page = opened("block", color_scheme=scheme, viewport={"width": width, "height": 800})
        for key in ("2", "3", "1", "b", "v", "c", " "):
            page.keyboard.press(key)
        page.wait_for_selector("body[data-shown='3']")
        page.keyboard.press(" ")
        assert "play" == page.inner_text("#play")
        box = page.locator("#timeline").bounding_box()
        page.mouse.click(box["x"] + 2, box["y"] + 20)
        page.wait_for_selector("body[data-shown='0']")
        page.locator("#gain").fill("5")
        assert "32" == page.inner_text(".gain-value")
        assert "I, from nothing but itself" in page.inner_text("#picture-facts")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_two_files_have_a_border_that_moves_a_difference_and_numbers_of_both(browser, files, tmp_path):
    with codec.open(files / "block.mvz") as video:
        codec.encode(video, tmp_path / "b.mvz", codec.Settings("dct", qp=40))
    with codec.open(tmp_path / "b.mvz") as other:
        page_of(files / "block.mvz", tmp_path / "page.html", other=other)
    page = browser.new_page(viewport={"width": 700, "height": 800})
    page.goto(f"{(tmp_path / 'page.html').as_uri()}#picture=1&show=bits")
    page.wait_for_selector("body[data-shown='1']")
    box = page.locator("#picture").bounding_box()
    width_of_b = "getComputedStyle(document.querySelector('#side-b')).clipPath"
    assert "50%" in page.evaluate(width_of_b)
    page.keyboard.press("x")
    assert "100%" in page.evaluate(width_of_b)
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 9)
    page.mouse.down()
    page.mouse.up()
    assert "25%" in page.evaluate(width_of_b).replace("24.9", "25")
    page.wait_for_function("document.querySelector('#values').innerText.includes('bits of the cell')")
    for table in ("#values", "#picture-facts"):
        assert {3} == set(page.evaluate(f"Array.from(document.querySelector('{table}').rows, row => row.cells.length)"))
    page.keyboard.press("4")
    page.wait_for_function("document.querySelector('input[value=difference]').checked")
    page.keyboard.press("?")
    assert "how B differs from A" in page.inner_text("#help")
    page.keyboard.press("?")
    page.click("summary")
    page.wait_for_function("document.querySelector('#all').rows.length === 1 + 2 * 5")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.close()


def test_bars_are_as_high_as_their_bytes_and_the_strip_is_as_wide_as_its_pictures(opened, files):
    page = opened("mesh", viewport={"width": 1300, "height": 800})
    assert 4 * 64 == page.locator("#timeline").bounding_box()["width"]
    column = "canvas => { const of = canvas.getContext('2d').getImageData(PLACE, 0, 1, canvas.height - 5).data;"
    column += " return of.filter((_, i) => i % 4 === 3 && of[i]).length; }"
    heights = [
        page.locator("#timeline").evaluate(column.replace("PLACE", str(64 * number + 32))) for number in range(4)
    ]
    (data,) = page.evaluate("[data.files[0].timeline.map(entry => entry.bytes)]")
    assert [max(heights) * size / max(data) for size in data] == pytest.approx(heights, abs=1.5)


def test_shares_of_kinds_are_those_of_the_area(opened, files):
    page = opened("dct", "#picture=1")
    with codec.open(files / "dct.mvz") as video:
        blocks = video.inspect(1).coding_blocks
    top, left, side = blocks.places.T
    area = np.minimum(side, 37 - top) * np.minimum(side, 45 - left)
    facts = dict(row.split("\t") for row in page.inner_text("#picture-facts").splitlines() if "\t" in row)
    for kind in np.unique(blocks.kinds):
        share = 100 * area[blocks.kinds == kind].sum() / area.sum()
        assert f"{share:.1f} %" == facts[f"area of {BlockKind(kind).label}"]
    first = blocks.vectors_quarter_pel[blocks.directions & 1 > 0]
    moved = np.concatenate([first, blocks.second_vectors_quarter_pel[blocks.directions & 2 > 0]]) / 4
    assert float(facts["mean vector"]) == pytest.approx(np.hypot(*moved.T).mean(), abs=0.006)
