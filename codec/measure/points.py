"""What a sweep measures on and what it finds, and how that is written as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import codec
from codec.measure.bd_rate import BdRate
from codec.measure.dials import dial_of
from codec.measure.metrics import PictureError
from codec.picture.colour import rgb_to_yuv
from codec.picture.planes import Picture, PictureFormat, SampleFormat
from codec.settings import Settings
from codec.whole_file import InputFile, whole_file

__all__ = [
    "CSV_COLUMNS",
    "SCHEMA_VERSION",
    "Clip",
    "Comparison",
    "PeerPoint",
    "Point",
    "Rated",
    "points_as_json",
    "quality_name",
    "write_csv",
    "write_json",
]

SCHEMA_VERSION = 4  # keys and columns stay as they are within a version

CSV_COLUMNS = (
    *("codec", "residual", "motion", "dial", "dial_value", "step", "gop", "block", "search", "run", "pictures"),
    *("source_bytes", "file_bytes", "ratio", "bits_per_pixel"),
    *("motion_bytes", "modes_bytes", "weights_bytes", "residual_bytes", "headers_bytes"),
    *("exact", "mse", "psnr", "psnr_plane_1", "psnr_plane_2", "psnr_plane_3", "psnr_yuv", "snr", "max_error", "ssim"),
    *("encode_seconds", "decode_seconds", "measured_in", "coded_mse", "coded_psnr_yuv"),
)


@dataclass(frozen=True)
class Comparison:
    """The BD-rate of a curve against the anchor, both by their names; ``measured_in`` are the planes of both."""

    curve: str
    anchor: str
    found: BdRate
    measured_in: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        found = self.found
        said = found.change is not None
        return {
            "curve": self.curve,
            "anchor": self.anchor,
            "measured_in": self.measured_in,
            "change": found.change,
            "low_psnr": found.low_psnr if said else None,
            "high_psnr": found.high_psnr if said else None,
            "why_not": found.why_not,
        }


@dataclass(frozen=True)
class Clip:
    """A sequence in memory: what a sweep measures on; ``notes`` are those of its source."""

    label: str
    rate: Fraction
    pictures: tuple[Picture, ...] = field(repr=False)
    files: tuple[InputFile, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()

    @property
    def format(self) -> PictureFormat:
        """Size, planes and colour of every picture."""
        return self.pictures[0].format

    @property
    def source_bytes(self) -> int:
        """Raw samples, one byte each."""
        return len(self.pictures) * self.format.sample_count

    @property
    def pixels(self) -> int:
        """Luma samples of all pictures."""
        return len(self.pictures) * self.format.width * self.format.height

    def as_coded(self, chroma: str | None = None) -> Clip:
        """The clip in the planes that ``dct`` codes: RGB as Y'CbCr, 4:2:0 or as ``chroma`` says; the rest as it is."""
        if self.format.sample_format is not SampleFormat.RGB:
            return self
        coded = self.format.as_yuv(SampleFormat[f"YUV{chroma or 420}"])
        return replace(self, pictures=tuple(rgb_to_yuv(picture, coded) for picture in self.pictures))


class Rated:
    """What follows from the sizes and errors of any measured file."""

    pictures: int
    pixels: int
    source_bytes: int
    file_bytes: int
    error: PictureError

    @property
    def ratio(self) -> float:
        """Raw samples over file."""
        return self.source_bytes / self.file_bytes

    @property
    def bits_per_pixel(self) -> float:
        """Bits of the file for every luma sample."""
        return 8 * self.file_bytes / self.pixels

    @property
    def exact(self) -> bool:
        """Whether every sample of every picture came back the same."""
        return self.error.total.identical

    @property
    def mse(self) -> float:
        """Mean squared error per sample, over all planes and pictures."""
        return self.error.total.mse

    @property
    def psnr(self) -> float:
        """From ``mse``, in dB; infinite where exact."""
        return self.error.total.psnr

    @property
    def quality(self) -> float:
        """What curves are compared at, in dB: PSNR-YUV of Y'CbCr, of the rest PSNR over all planes.

        Of Y'CbCr with some planes exact, which have no PSNR, it is that over all planes too.
        """
        yuv = self.error.psnr_yuv
        return self.psnr if yuv is None else yuv


@dataclass(frozen=True)
class Point(Rated):
    """One way to encode a clip, measured.

    Attributes:
        settings: how it was encoded.
        pictures: how many there are.
        pixels: luma samples of all of them.
        source_bytes: raw samples.
        file_bytes: the whole file, headers and index included.
        bytes: the file's bytes by component: motion, modes, weights, residual, headers; they add up to
            ``file_bytes``.
        error: of all pictures together.
        encode_seconds: wall time from the first picture handed over to the file on disk; no reading of the source.
        decode_seconds: wall time to decode every picture from the file; no comparing.
        sample: the decoded picture that `sweep` was asked to keep.
        coded_error: where RGB was coded as Y'CbCr, the error in these planes, before any is converted back.
    """

    settings: Settings
    pictures: int
    pixels: int
    source_bytes: int
    file_bytes: int
    bytes: dict[str, int]
    error: PictureError
    encode_seconds: float
    decode_seconds: float
    sample: Picture | None = field(default=None, repr=False, compare=False)
    coded_error: PictureError | None = None

    @property
    def label(self) -> str:
        """Residual, dial and motion, such as ``int8 step 8, mesh``."""
        dial = dial_of(self.settings)
        words = f" {dial[0]} {dial[1]}" if dial else ""
        return f"{self.settings.residual_coder.label}{words}, {self.settings.motion_model.label}"

    @property
    def curve(self) -> str:
        """Residual and motion, such as ``int8, mesh``: points of one curve differ by their dial alone."""
        return f"{self.settings.residual_coder.label}, {self.settings.motion_model.label}"

    def as_coded(self) -> Point | None:
        """The same file measured in the planes that are coded; None where these are the source's own."""
        return None if self.coded_error is None else replace(self, error=self.coded_error, coded_error=None)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; see `points_as_json`."""
        settings = self.settings
        return {
            "codec": "mvz",
            "residual": settings.residual_coder.label,
            "motion": settings.motion_model.label,
            "dial": _dial_as_dict(dial_of(settings)),
            "step": settings.step,
            "gop": settings.gop,
            "block": settings.cell_size,
            "search": settings.search_range,
            "run": settings.run_length,
            "pictures": self.pictures,
            "source_bytes": self.source_bytes,
            "file_bytes": self.file_bytes,
            "ratio": self.ratio,
            "bits_per_pixel": self.bits_per_pixel,
            "bytes": self.bytes,
            "exact": self.exact,
            **self.error.as_dict(),
            "coded": self.coded_error
            and {"sample_format": f"yuv{settings.chroma or 420}", **self.coded_error.as_dict()},
            "encode_seconds": self.encode_seconds,
            "decode_seconds": self.decode_seconds,
        }


@dataclass(frozen=True)
class PeerPoint(Rated):
    """Another codec on the same pictures, measured.

    Attributes:
        peer: its name, the same for all points of one curve.
        dial: name and value of what was turned, or None where nothing was.
        command: what was run, with ``INPUT`` and ``OUTPUT`` for the files; for Pillow, what was called.
        version: of the program.
        pictures, pixels, source_bytes, error, encode_seconds, decode_seconds: as of `Point`; seconds include
            starting the program and passing raw pictures.
        file_bytes: of its packets with codec headers, without any container; of pictures one by one, of all files.
        measured_in: the planes that it was given and compared in, such as ``yuv420``: those of the source, or
            those that ``dct`` codes.
    """

    peer: str
    dial: tuple[str, int] | None
    command: str
    version: str
    pictures: int
    pixels: int
    source_bytes: int
    file_bytes: int
    error: PictureError
    encode_seconds: float
    decode_seconds: float
    measured_in: str

    @property
    def label(self) -> str:
        """Name and dial."""
        return f"{self.peer}, {self.dial[0]} {self.dial[1]}" if self.dial else self.peer

    @property
    def curve(self) -> str:
        """Its name."""
        return self.peer

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; see `points_as_json`."""
        return {
            "codec": self.peer,
            "dial": _dial_as_dict(self.dial),
            "command": self.command,
            "version": self.version,
            "measured_in": self.measured_in,
            "pictures": self.pictures,
            "source_bytes": self.source_bytes,
            "file_bytes": self.file_bytes,
            "ratio": self.ratio,
            "bits_per_pixel": self.bits_per_pixel,
            "exact": self.exact,
            **self.error.as_dict(),
            "encode_seconds": self.encode_seconds,
            "decode_seconds": self.decode_seconds,
        }


def _dial_as_dict(dial: tuple[str, int] | None) -> dict[str, Any] | None:
    return {"name": dial[0], "value": dial[1]} if dial else None


def quality_name(points: Iterable[Rated]) -> str:
    """What `Rated.quality` is called for these points."""
    return "PSNR-YUV" if any(point.error.psnr_yuv is not None for point in points) else "PSNR"


# ------------------------------------------------------------------------------------------- files


def points_as_json(
    points: Iterable[Point],
    clip: Clip | None = None,
    jobs: int | None = None,
    peers: Iterable[PeerPoint] = (),
    bd_rates: Iterable[Comparison] = (),
) -> dict[str, Any]:
    """Points as plain values for `json.dumps`.

    ``schema`` is ``mvz-sweep``, ``schema_version`` is 4, ``mvz`` is the version that measured.
    ``source`` is null or has ``label``, ``width``, ``height``, ``sample_format``, ``rate`` (a ratio as text),
    ``pictures`` and ``source_bytes``; ``jobs`` is how many points were measured at once, or null.
    Each of ``points`` has:

    - its settings: ``codec`` (``mvz``), ``residual``, ``motion``, ``dial`` (``name`` and ``value`` of what was turned,
      null where nothing was), ``step`` (null where there is none), ``gop``, ``block``, ``search`` and
      ``run``;
    - sizes: ``pictures``, ``source_bytes``, ``file_bytes``, ``ratio``, ``bits_per_pixel``, and ``bytes`` with
      ``motion``, ``modes``, ``residual`` and ``headers``, which add up to ``file_bytes``;
    - errors over all planes and pictures: ``exact`` and ``identical`` (the same), ``mse`` per sample, ``psnr``,
      ``snr``, ``max_error``, ``psnr_yuv`` (null unless Y'CbCr), ``ssim`` (null if not measured), and ``planes`` with
      ``identical``, ``mse``, ``psnr``, ``snr`` and ``max_error`` of each plane by its letter;
      an infinite psnr or snr is null, and ``identical`` is true;
    - ``coded``: of RGB that was coded as Y'CbCr, ``sample_format`` and the same errors in these planes, else null;
    - ``encode_seconds`` and ``decode_seconds``, wall time.

    ``peers`` has other codecs on the same pictures: ``codec`` (its name), ``dial``, ``command``, ``version``,
    ``measured_in`` (the planes of its errors, such as ``yuv420``), and sizes, errors and seconds as above, without
    ``bytes`` and ``coded``.
    ``bd_rates`` has one entry a curve but the anchor: ``curve`` and ``anchor`` by name, ``measured_in``, ``change``
    (mean change of bytes at equal PSNR; null where it cannot be said), ``low_psnr`` and ``high_psnr`` (null with it),
    ``why_not``.
    """
    source = None
    if clip is not None:
        source = {
            "label": clip.label,
            "width": clip.format.width,
            "height": clip.format.height,
            "sample_format": clip.format.sample_format.label,
            "rate": str(clip.rate),
            "pictures": len(clip.pictures),
            "source_bytes": clip.source_bytes,
        }
    return {
        "schema": "mvz-sweep",
        "schema_version": SCHEMA_VERSION,
        "mvz": codec.__version__,
        "source": source,
        "jobs": jobs,
        "points": [point.as_dict() for point in points],
        "peers": [point.as_dict() for point in peers],
        "bd_rates": [comparison.as_dict() for comparison in bd_rates],
    }


def write_json(
    points: Iterable[Point],
    path: str | os.PathLike[str],
    *,
    clip: Clip | None = None,
    jobs: int | None = None,
    peers: Iterable[PeerPoint] = (),
    bd_rates: Iterable[Comparison] = (),
    force: bool = False,
) -> None:
    """`points_as_json` into a file.

    Raises:
        MediaError: the file exists and ``force`` is not set, or cannot be written.
    """
    text = json.dumps(
        points_as_json(points, clip, jobs, peers, bd_rates), indent=2, allow_nan=False, ensure_ascii=False
    )
    with whole_file(path, force=force) as file:
        file.write(text.encode() + b"\n")


def write_csv(points: Iterable[Point | PeerPoint], path: str | os.PathLike[str], *, force: bool = False) -> None:
    """One line a point under a line of `CSV_COLUMNS`; UTF-8, commas, full precision.

    Points of peers leave empty what is a matter of mvz alone.

    Columns are named as in `points_as_json`; ``psnr_plane_1`` … follow the order of the planes.
    An infinite ratio is ``inf``, exact is ``true`` or ``false``, and what there is none of is empty.

    Raises:
        MediaError: the file exists and ``force`` is not set, or cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_csv_row(point) for point in points)
    with whole_file(path, force=force) as file:
        file.write(text.getvalue().encode())


def _csv_row(point: Point | PeerPoint) -> dict[str, object]:
    """The values of one line; `None` becomes an empty cell."""
    row = {name: value for name, value in point.as_dict().items() if name in CSV_COLUMNS}
    if isinstance(point, Point):
        row |= {f"{component}_bytes": count for component, count in point.bytes.items()}
        if (coded := point.coded_error) is not None:
            row |= {"coded_mse": coded.total.mse, "coded_psnr_yuv": coded.psnr_yuv}
    dial = point.as_dict()["dial"] or {"name": None, "value": None}
    row |= {"dial": dial["name"], "dial_value": dial["value"]}
    row |= {f"psnr_plane_{number}": plane.psnr for number, plane in enumerate(point.error.planes.values(), 1)}
    total = point.error.total
    return row | {
        "exact": "true" if point.exact else "false",
        "psnr": total.psnr,
        "snr": total.snr,
        "psnr_yuv": point.error.psnr_yuv,
    }
