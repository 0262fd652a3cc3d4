"""The report: one page that needs nothing else, whose numbers are those of its points."""

import base64
import csv
import hashlib
import io
import json
import re
from fractions import Fraction
from functools import partial
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from codec.cli.main import build_parser
from codec.cli.terminal import given
from codec.errors import ConfigError, MediaError
from codec.measure.curves import domains_of, upper_hull
from codec.measure.metrics import ErrorSums, PictureError
from codec.measure.points import Clip, PeerPoint, Point
from codec.measure.sweep import default_settings, sweep
from codec.measure.synthetic import moving_sequence
from codec.picture.planes import Picture
from codec.settings import Settings
from codec.show.findings import bytes_at_equal_mse
from codec.show.findings import findings as findings_of
from codec.show.plots import (
    IN_THE_DARK,
    RATE_PLOTS,
    plot_mesh_against_block,
    plot_rates,
    svg,
)
from codec.show.report import (
    ReportMeta,
    decibels,
    distinct,
    make_report,
    make_samples,
    percent,
    report_page,
    seconds,
    significant,
)

PLOTS = [partial(plot_rates, plot) for plot in RATE_PLOTS]
VOID = {"meta", "img", "input", "br", "wbr"}


class Page(HTMLParser):
    """What a page refers to, whether its elements nest, and its text."""

    def __init__(self, text):
        super().__init__()
        self.references, self.open, self.cells, self.text, self.tags = [], [], [], "", set()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.references += [value for name, value in attributes if name in ("src", "href", "srcset", "data", "action")]
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data


def lossy_point(file_bytes, squared_error, motion="block", residual="int8", step=8):
    error = PictureError({"Y": ErrorSums(100, squared_error, 10**6, 9)})
    components = {"motion": 10, "modes": 0, "weights": 0, "residual": file_bytes - 20, "alpha": 0, "headers": 10}
    settings = Settings(residual, motion, step if residual in ("int8", "uint8") else None)
    sizes = {"pictures": 1, "pixels": 100, "source_bytes": 100_000, "file_bytes": file_bytes, "bytes": components}
    return Point(settings=settings, **sizes, error=error, encode_seconds=1.5, decode_seconds=0.25)


@pytest.fixture(scope="module")
def clip():
    return Clip("clips/scene & <sea>", Fraction(30000, 1001), tuple(moving_sequence(32, 24, 3)))


def findings(points, peers=()):
    clip = Clip("scene", Fraction(25), (Picture.from_array(np.zeros((16, 16), np.uint8)),))
    return findings_of(domains_of(clip, points, peers))


@pytest.fixture(scope="module")
def points(clip):
    return sweep(clip, default_settings(steps=[8, 32]), keep_picture=1)


@pytest.fixture(scope="module")
def page(points, clip):
    return report_page(points, ReportMeta(clip, 2, 1))


def test_page_refers_to_nothing_outside_itself(page):
    parsed = Page(page)
    urls = [reference for reference in parsed.references if not reference.startswith("#")]
    assert len(urls) == 1 + 2 * 2  # source, decoded and difference with each motion that differs
    assert all(url.startswith("data:image/") for url in urls)
    assert not parsed.tags & {"script", "link", "iframe", "object", "embed", "base"}
    assert not re.search(r"url\([^#]|@import|http-equiv|https?:", re.sub(r"data:[^\"]*", "", page))


def test_plots_take_their_colours_from_the_page_which_has_them_for_light_and_dark(page):
    labels = re.findall(r'<svg class="plot"[^>]* aria-label="([^"]*)"', page)
    assert [label.partition(" against ")[0] for label in labels] == ["File size", "PSNR", "PSNR", "Bytes of mesh"]
    used = set(re.findall(r"var\(--c([0-9a-f]{6})\)", page))
    light, dark = (
        dict(re.findall(r"--c([0-9a-f]{6}): (#[0-9a-f]{6})", part))
        for part in page.partition("</style>")[0].rsplit("@media (prefers-color-scheme: dark)", 1)
    )
    assert used <= set(light) == set(dark) == {colour[1:] for colour in IN_THE_DARK}
    drawn = re.sub(r"#[\w-]*[g-zG-Z_-][\w-]*", "", "".join(re.findall(r'<svg class="plot".*?</svg>', page, re.S)))
    assert not re.search(r"#[0-9a-f]{6}\b", drawn)


def test_the_page_has_every_point_and_says_what_the_source_was(page, points):
    cells, text = Page(page).cells, " ".join(Page(page).text.split())
    for point in points:
        assert f"{point.file_bytes:,}" in cells
    exact = sum(point.exact for point in points)
    assert cells.count("exact") == exact == 6
    assert cells.count("∞") == (1 + 3) * 6  # over all planes, and of each
    assert "<h1>scene &amp; &lt;sea&gt;, 32 × 24, 3 pictures</h1>" in page
    assert "clips/" not in page
    assert "rgb · 8 bits a sample · 30000/1001 pictures per second · 6,912 bytes of raw samples" in text
    assert "2 points were measured at the same time" in text
    assert "gop 32, block 16, search automatic, run automatic" in text


def test_the_bars_of_a_point_show_all_its_bytes(page, points):
    bars = re.findall(r"<td><div>(.*?)</div></td>", page)
    widths = [sum(float(width) for width in re.findall(r"width: ([0-9.]+)%", bar)) for bar in bars]
    rest = [point.file_bytes - point.bytes["residual"] for point in distinct(points)]
    assert widths[::2] == pytest.approx([100] * len(rest), abs=0.05)
    assert widths[1::2] == pytest.approx([100 * length / max(rest) for length in rest], abs=0.05)


def test_mesh_has_rows_only_where_it_differs_from_block(clip):
    points = [*int8_curve("block"), *int8_curve("mesh")[:2], *int8_curve("mesh", 0.9)[2:]]
    assert distinct(points) == [*points[:4], *points[6:]]
    cells = Page(report_page(points, ReportMeta(clip))).cells
    labels = ("int8 step 2, block", "int8 step 2, mesh", "int8 step 8, mesh")
    assert [cells.count(label) // 3 for label in labels] == [1, 0, 1]


def test_commands_of_points_are_the_settings_that_they_were_measured_with(points):
    chosen = [
        Settings(scene_cut=False, max_error=2),
        Settings("dct", "mesh", qp=28.5, chroma="444", gop=8, speed="slow"),
    ]
    for settings in [*(point.settings for point in points), *chosen]:
        words = Point(**{**vars(points[0]), "settings": settings}).command.split(" ")
        options = build_parser().parse_args(words[1:])
        assert settings == Settings(**given(options, Settings))


@pytest.mark.parametrize("plot", PLOTS)
def test_plots_are_bare_svg_elements_without_a_date_and_the_same_every_time(plot, points):
    text = svg(plot(points))
    assert text == svg(plot(points))
    assert text.startswith("<svg")
    assert text.rstrip().endswith("</svg>")
    assert "<metadata" not in text


def test_findings_name_the_smallest_exact_file(points):
    best = min((point for point in points if point.exact), key=lambda point: point.file_bytes)
    sentence = findings(points)[0]
    assert f"{best.file_bytes:,} bytes" in sentence
    assert best.settings.residual_coder.label in sentence


def test_findings_compare_motion_models_at_equal_mse():
    points = [
        lossy_point(1000, 100, "none"),
        lossy_point(500, 200, "none", step=16),
        lossy_point(800, 100, "block"),
        lossy_point(400, 200, "block", step=16),
    ]
    assert "Block motion against none: int8 files at equal MSE are 20.0 % smaller on average." in findings(points)


def test_bytes_at_equal_mse_follow_straight_lines_between_logarithms():
    anchored = [lossy_point(1000, 100), lossy_point(250, 1600)]
    tested = [lossy_point(1000, 400), lossy_point(500, 1600)]  # on the anchor's line: 500 and 250 bytes
    assert bytes_at_equal_mse(tested, anchored) == pytest.approx(1.0)
    assert bytes_at_equal_mse(anchored, tested) == pytest.approx(-0.5)


def test_difference_is_128_plus_what_it_says_times_the_error():
    source = Picture.from_array(np.full((20, 30, 3), 100, np.uint8))
    decoded = Picture.from_array(np.full((20, 30, 3), 107, np.uint8))
    point = lossy_point(1000, 100)
    samples = make_samples([Point(**{**vars(point), "sample": decoded})], source, 0)
    assert samples.amplification == 16
    (shown,) = samples.decoded
    picture = Image.open(io.BytesIO(base64.b64decode(shown.difference_url.partition(",")[2])))
    assert np.array_equal(np.asarray(picture), np.full((20, 30, 3), 128 + 16 * 7))


def test_make_report_writes_page_json_and_csv(tmp_path, clip):
    paths = [tmp_path / name for name in ("report.html", "points.json", "points.csv")]
    chosen = default_settings(["lossless", "int8"], ["none", "block"], [16])
    told = []
    points = make_report(
        clip, paths[0], settings=chosen, json_path=paths[1], csv_path=paths[2], progress=told.append, jobs=1
    )
    assert [point.settings for point in points] == chosen
    assert len(told) == 4
    assert Page(paths[0].read_text("utf-8")).cells
    assert len(json.loads(paths[1].read_text("utf-8"))["points"]) == 4
    assert len(list(csv.DictReader(io.StringIO(paths[2].read_text("utf-8"))))) == 4


@pytest.mark.parametrize("existing", ["report.html", "points.json", "points.csv"])
def test_make_report_measures_nothing_where_a_file_exists(tmp_path, clip, existing):
    (tmp_path / existing).write_text("mine")
    told = []
    with pytest.raises(MediaError, match="exists"):
        make_report(
            clip,
            tmp_path / "report.html",
            json_path=tmp_path / "points.json",
            csv_path=tmp_path / "points.csv",
            progress=told.append,
        )
    assert told == []
    assert [path.name for path in tmp_path.iterdir()] == [existing]


@pytest.mark.parametrize(
    ("words", "values", "expected"),
    [
        (significant, (64.27, 1.4155, 1218.4, 0.0012345, 0), "64.3 1.42 1,218 0.00123 0"),
        (decibels, (float("inf"), None, 41.007), "∞ – 41.01"),
        (seconds, (0.0123, 1.234, 12.34), "0.012 1.23 12.3"),
        (percent, (-0.001, -0.0001, 0.0, 0.001), "−0.1\xa0% 0.0\xa0% 0.0\xa0% +0.1\xa0%"),
    ],
)
def test_numbers_are_written_as_people_read_them(words, values, expected):
    assert [words(value) for value in values] == expected.split(" ")


def int8_curve(motion, factor=1.0):
    return [lossy_point(round(factor * size), error, motion, step=step) for size, error, step in CURVE]


CURVE = [(9000, 50, 2), (5000, 150, 4), (2500, 700, 8), (1200, 2500, 16)]


def test_curves_are_compared_at_equal_psnr(clip):
    points = [*int8_curve("none", 2.0), *int8_curve("block"), *int8_curve("mesh", 0.9)]
    assert "Mesh motion against block motion: int8 files at equal PSNR are 10.0 % smaller on average." in findings(
        points
    )
    page = Page(report_page(points, ReportMeta(clip)))
    assert "against int8, block, on average" in page.text
    cells = [cell.replace("\N{NO-BREAK SPACE}", " ") for cell in page.cells]
    first = cells.index("int8, none")
    assert cells[first : first + 4] == ["int8, none", "+100.0 %", "34.15", "51.14"]
    assert cells[first + 4 : first + 6] == ["int8, mesh", "−10.0 %"]
    anchored = Page(report_page(points, ReportMeta(clip, anchor="int8, none"))).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "−50.0 %" in anchored


def peer_curve(name, factor, measured_in="gray"):
    """A peer that takes ``factor`` times the bytes of `dct_curve` at the same error."""
    return [
        PeerPoint(
            peer=name,
            dial=("q", q),
            command=f"run -q {q} -trellis 2 INPUT",
            version="1.0",
            pictures=2,
            pixels=1600,
            source_bytes=4800,
            file_bytes=round(factor * size),
            error=error,
            encode_seconds=1,
            decode_seconds=1,
            measured_in=measured_in,
        )
        for (size, _, q), error in zip(CURVE, (point.error for point in dct_curve()), strict=True)
    ]


def dct_curve():
    return [
        Point(**{**vars(point), "settings": Settings("dct", "block", qp=20 + step)})
        for point, (_, _, step) in zip(int8_curve("block"), CURVE, strict=True)
    ]


def test_findings_hold_dct_against_others_at_equal_psnr():
    others = [*peer_curve("larger, or so", 1.25), *peer_curve("smaller", 0.8)]
    expected = "at equal PSNR, on average, against larger, or so: 20.0 % smaller; against smaller: 25.0 % larger."
    assert f"Files of dct with block motion {expected}" in findings(dct_curve(), others)
    assert not any("Files of dct" in said for said in findings(int8_curve("block"), others))


def test_every_row_has_its_command_and_version_and_the_clip_its_hash(clip):
    page = report_page(dct_curve(), ReportMeta(clip, peers=peer_curve("other", 2, "rgb")))
    text = " ".join(Page(page).text.split())
    raw = np.stack([np.stack(picture.planes, 2) for picture in clip.pictures]).tobytes()
    assert hashlib.sha256(raw).hexdigest() in text
    assert "1.0 other, q 2 run -q 2 -trellis 2 INPUT" in text
    assert "dct qp 22, block mvz encode INPUT -o OUTPUT --residual dct --qp 22" in text
    assert page.rindex("<details") < page.index("trellis") < page.rindex("</details>")


def test_curves_stand_against_x264_where_it_was_measured(clip):
    peers = [*peer_curve("other", 1.25, "rgb"), *peer_curve("x264", 2, "rgb")]
    page = Page(report_page(dct_curve(), ReportMeta(clip, peers=peers)))
    assert "against x264, on average" in page.text
    assert "−50.0 %" in " ".join(page.cells).replace("\N{NO-BREAK SPACE}", " ")


def test_the_hull_is_what_no_mix_of_two_points_beats():
    inside = [(3, 1), (2, 1), (4, 4), (5, 5), (6, 5.5)]
    assert upper_hull([*inside, (6, 6), (2, 3), (1, 0), (3, 5)]) == [(1, 0), (2, 3), (3, 5), (6, 6)]
    assert upper_hull([(1, 0), (2, 1), (3, 2), (3, 1)]) == [(1, 0), (3, 2)]
    assert upper_hull([(1, 5), (2, 5), (3, 4)]) == [(1, 5)]
    assert upper_hull([]) == []


def test_anchor_is_refused_before_anything_is_measured(tmp_path, clip):
    chosen, told = default_settings(["lossless", "int8"], ["block"]), []
    for anchor in ("lossless, block", "x264"):
        with pytest.raises(ConfigError, match=r"there are int8, block$"):
            make_report(clip, tmp_path / "report.html", settings=chosen, anchor=anchor, progress=told.append)
    assert told == []


def test_mesh_against_block_is_drawn_where_both_have_curves():
    points = [*int8_curve("block"), *int8_curve("mesh", 0.9)]
    (line, _) = plot_mesh_against_block(points).axes[0].lines
    assert np.allclose(line.get_ydata(), -10, atol=0.1)
    assert plot_mesh_against_block(points[:6]) is None
    assert plot_mesh_against_block([lossy_point(1000, 100)]) is None


@pytest.mark.parametrize("plot", RATE_PLOTS)
def test_the_hull_is_drawn_of_a_coder_with_several_curves(plot):
    def hulls(points):
        axes = plot_rates(plot, points).axes[0]
        return [list(zip(*line.get_data(), strict=True)) for line in axes.lines if line.get_alpha() == 0.25]

    block, mesh = int8_curve("block"), int8_curve("mesh", 0.9)
    assert hulls(block) == []
    on_hull = [point for point in mesh if point.file_bytes != 2250]  # which lies below the line between its neighbours
    expected = sorted((getattr(point, plot.rate), getattr(point, plot.distortion)) for point in on_hull)
    assert [expected] == [sorted(hull) for hull in hulls([*block, *mesh])]
