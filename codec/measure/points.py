"""What a sweep measures on and what it finds, and how that is written as JSON and CSV (docs/sweep_schema.md)."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from typing import Any

import codec
from codec.measure.metrics import PictureError
from codec.models import ResidualCoder
from codec.picture.colour import rgb_to_yuv, to_array
from codec.picture.planes import Picture, PictureFormat, SampleFormat
from codec.settings import Settings
from codec.whole_file import InputFile, whole_file

__all__ = [
    *("CSV_COLUMNS", "SCHEMA_VERSION", "Clip", "Measured", "PeerPoint", "Point", "curve_name", "dial_of"),
    *("points_as_json", "quality_name", "write_csv", "write_json"),
]

SCHEMA_VERSION = 5  # keys and columns stay as they are within a version

CSV_COLUMNS = (
    *("codec", "residual", "motion", "dial", "dial_value", "step", "gop", "block", "search", "run", "pictures"),
    *("source_bytes", "file_bytes", "ratio", "bits_per_pixel"),
    *("motion_bytes", "modes_bytes", "weights_bytes", "residual_bytes", "alpha_bytes", "headers_bytes"),
    *("exact", "mse", "psnr", "psnr_plane_1", "psnr_plane_2", "psnr_plane_3", "psnr_yuv", "snr", "max_error", "ssim"),
    *("encode_seconds", "decode_seconds", "measured_in", "coded_mse", "coded_psnr_yuv"),
)


def dial_of(settings: Settings) -> tuple[str, float] | None:
    """Name and value of what turns size against error; None where nothing does, or the encoder chooses."""
    if settings.residual_coder is ResidualCoder.DCT:
        return "qp", settings.dialled_qp
    return None if settings.step is None else ("step", settings.step)


def curve_name(settings: Settings) -> str:
    """Residual and motion, such as ``int8, mesh``: points of one curve differ by their dial alone."""
    return f"{settings.residual_coder.label}, {settings.motion_model.label}"


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
        """Raw samples, one byte each, or two of more than 8 bits."""
        return len(self.pictures) * self.format.raw_bytes

    def sha256(self) -> str:
        """Of its samples as raw video, such as ffmpeg's rgb24, gray, yuv420p or gray16le: what was measured on."""
        digest = hashlib.sha256()
        is_planar = self.format.sample_format.plane_names == ("Y", "U", "V")
        for picture in self.pictures:
            for samples in picture.planes if is_planar else [to_array(picture)]:
                digest.update(samples.astype(samples.dtype.newbyteorder("<"), copy=False).tobytes())
        return digest.hexdigest()

    def sizes(self) -> dict[str, int]:
        """What every file of it that is `Measured` says of its source."""
        count, shape = len(self.pictures), self.format
        return {"pictures": count, "pixels": count * shape.width * shape.height, "source_bytes": self.source_bytes}

    def as_coded(self, chroma: str | None = None) -> Clip:
        """RGB as the Y'CbCr that ``dct`` codes, 4:2:0 or as ``chroma`` says; any other clip unchanged."""
        if self.format.sample_format is not SampleFormat.RGB:
            return self
        coded = self.format.as_yuv(SampleFormat[f"YUV{chroma or 420}"])
        return replace(self, pictures=tuple(rgb_to_yuv(picture, coded) for picture in self.pictures))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A file that was encoded, decoded and compared.

    Attributes:
        pictures: how many there are.
        pixels: luma samples of all of them.
        source_bytes: raw samples, one byte each, or two of more than 8 bits.
        file_bytes: the whole file, headers and index included; see `PeerPoint` for other codecs.
        error: of all pictures together.
        encode_seconds, decode_seconds: wall time between pictures in memory and the file.
    """

    pictures: int
    pixels: int
    source_bytes: int
    file_bytes: int
    error: PictureError
    encode_seconds: float
    decode_seconds: float

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
        """What curves are compared at, in dB: PSNR-YUV where there is one, else PSNR over all planes."""
        yuv = self.error.psnr_yuv
        return self.psnr if yuv is None else yuv

    def as_dict(self) -> dict[str, Any]:
        """Sizes, errors and seconds as plain values for JSON."""
        sizes = ("pictures", "source_bytes", "file_bytes", "ratio", "bits_per_pixel", "exact")
        names = (*sizes, "encode_seconds", "decode_seconds")
        return {name: getattr(self, name) for name in names} | self.error.as_dict()


@dataclass(frozen=True, kw_only=True)
class Point(Measured):
    """One way to encode a clip, measured.

    Attributes:
        settings: how it was encoded.
        bytes: by component, which add up to ``file_bytes``.
        sample: the decoded picture that `sweep` was asked to keep.
        coded_error: where RGB was coded as Y'CbCr, the error in these planes, before any is converted back.
    """

    settings: Settings
    bytes: dict[str, int]
    sample: Picture | None = field(default=None, repr=False, compare=False)
    coded_error: PictureError | None = None

    @property
    def dial(self) -> tuple[str, float] | None:
        """`dial_of` its settings."""
        return dial_of(self.settings)

    @property
    def label(self) -> str:
        """Residual, dial and motion, such as ``int8 step 8, mesh``."""
        words = f" {self.dial[0]} {self.dial[1]}" if self.dial else ""
        return f"{self.settings.residual_coder.label}{words}, {self.settings.motion_model.label}"

    @property
    def curve(self) -> str:
        """`curve_name` of its settings."""
        return curve_name(self.settings)

    @property
    def command(self) -> str:
        """What makes the file from ``INPUT``."""
        words = ["mvz encode INPUT -o OUTPUT"]
        for each in fields(self.settings):
            value, option = getattr(self.settings, each.name), each.name.replace("_", "-")
            if isinstance(value, bool):
                words.append(f"--{option}" if value else f"--no-{option}")
            elif value not in (None, each.default):
                words.append(f"--{option} {getattr(value, 'label', value)}")
        return " ".join(words)

    def as_coded(self) -> Point | None:
        """The same file measured in the planes that are coded; None where these are the source's own."""
        return None if self.coded_error is None else replace(self, error=self.coded_error, coded_error=None)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        settings, coded = self.settings, self.coded_error
        return super().as_dict() | {
            "codec": "mvz",
            "command": self.command,
            "residual": settings.residual_coder.label,
            "motion": settings.motion_model.label,
            "dial": self.dial and dict(zip(("name", "value"), self.dial, strict=True)),
            "step": settings.step,
            "gop": settings.gop,
            "block": settings.cell_size,
            "search": settings.search,
            "run": settings.run,
            "bytes": self.bytes,
            "coded": coded and {"sample_format": f"yuv{settings.chroma or 420}", **coded.as_dict()},
        }


@dataclass(frozen=True, kw_only=True)
class PeerPoint(Measured):
    """Another codec on the same pictures, measured.

    ``file_bytes`` are packets with codec headers, without any container; of pictures one by one, all files.
    Seconds include starting the program and passing raw pictures.

    Attributes:
        peer: its name, which all points of one curve share.
        dial: name and value of what was turned, or None where nothing was.
        command: what was run, with ``INPUT`` and ``OUTPUT`` for the files; for Pillow, what was called.
        version: of the program.
        measured_in: the planes that it was given and compared in, such as ``yuv420``.
    """

    peer: str
    dial: tuple[str, int] | None
    command: str
    version: str
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
        """Plain values for JSON."""
        names = {"codec": self.peer, "command": self.command, "version": self.version, "measured_in": self.measured_in}
        return super().as_dict() | names | {"dial": self.dial and dict(zip(("name", "value"), self.dial, strict=True))}


def quality_name(points: Iterable[Measured]) -> str:
    """What `Measured.quality` is called for these points."""
    return "PSNR-YUV" if any(point.error.psnr_yuv is not None for point in points) else "PSNR"


def points_as_json(
    points: Iterable[Point],
    clip: Clip | None = None,
    jobs: int | None = None,
    peers: Iterable[PeerPoint] = (),
    bd_rates: Iterable[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Plain values for `write_json`, as docs/sweep_schema.md has them.

    ``jobs`` points were measured at once; ``bd_rates`` are plain values of `codec.measure.curves.CurveComparison`.
    """
    source = clip and {
        "label": clip.label,
        "width": clip.format.width,
        "height": clip.format.height,
        "sample_format": clip.format.sample_format.label,
        "bit_depth": clip.format.bit_depth,
        "rate": str(clip.rate),
        "pictures": len(clip.pictures),
        "source_bytes": clip.source_bytes,
        "sha256": clip.sha256(),
    }
    return {
        "schema": "mvz-sweep",
        "schema_version": SCHEMA_VERSION,
        "mvz": codec.__version__,
        "source": source,
        "jobs": jobs,
        "points": [point.as_dict() for point in points],
        "peers": [peer.as_dict() for peer in peers],
        "bd_rates": list(bd_rates),
    }


def write_json(values: dict[str, Any], path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Write `points_as_json` into a file, as UTF-8.

    Raises:
        MediaError: the file exists and ``force`` is not set, or cannot be written.
    """
    text = json.dumps(values, indent=2, allow_nan=False, ensure_ascii=False)
    with whole_file(path, force=force) as file:
        file.write(text.encode() + b"\n")


def write_csv(points: Sequence[Point | PeerPoint], path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Write one line a point under a line of `CSV_COLUMNS`, as docs/sweep_schema.md says.

    Raises:
        MediaError: the file exists and ``force`` is not set, or cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(_csv_row(point) for point in points)
    with whole_file(path, force=force) as file:
        file.write(text.getvalue().encode())


def _csv_row(point: Point | PeerPoint) -> dict[str, Any]:
    """The values of one line; `csv` makes None an empty cell."""
    row = point.as_dict()
    row["dial"], row["dial_value"] = point.dial or (None, None)
    row["exact"] = "true" if point.exact else "false"
    row |= {"psnr": point.psnr, "snr": point.error.total.snr, "psnr_yuv": point.error.psnr_yuv}  # infinite ones too
    row |= {f"psnr_plane_{number}": plane.psnr for number, plane in enumerate(point.error.planes.values(), 1)}
    if isinstance(point, Point):
        row |= {f"{component}_bytes": count for component, count in point.bytes.items()}
        if (coded := point.coded_error) is not None:
            row |= {"coded_mse": coded.total.mse, "coded_psnr_yuv": coded.psnr_yuv}
    return row
