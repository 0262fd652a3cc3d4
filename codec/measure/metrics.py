"""How far decoded pictures are from their source: MSE, PSNR, SNR and SSIM, each with its unit.

Squared errors are summed as whole numbers over all samples of all pictures, and divided once, at the end.
So the PSNR of a sequence comes from its one MSE; it is not the mean of its pictures' PSNR, which is higher.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from codec.errors import MediaError
from codec.picture.alpha import as_given, is_opaque
from codec.picture.colour import luma
from codec.picture.planes import Picture, PictureFormat, Plane

__all__ = ["SSIM_WINDOW", "Comparison", "ErrorSums", "PictureError", "compare_sequences", "measure_picture"]

SSIM_WINDOW = 11  # samples each way: Gaussian weights with σ = 1.5, cut at 3.5 σ


@dataclass(frozen=True)
class ErrorSums:
    """Exact sums over the samples of a plane, a picture or a sequence; they add up with ``+``.

    Attributes:
        samples: how many there are.
        squared_error: sum of (source − decoded)².
        source_energy: sum of source².
        max_error: largest |source − decoded|.
        peak: the largest sample that there may be, 255 of 8 bits, against which PSNR is measured.
    """

    samples: int = 0
    squared_error: int = 0
    source_energy: int = 0
    max_error: int = 0
    peak: int = 255

    @classmethod
    def of_planes(cls, source: Plane, decoded: Plane, peak: int = 255) -> ErrorSums:
        """The sums over two planes of one shape."""
        signed: np.dtype[Any] = np.dtype(np.int32 if source.itemsize == 1 else np.int64)  # for squares up to 65535²
        wide = source.astype(signed)
        error = wide - decoded
        squared_error, source_energy = (int(np.square(of).sum(dtype=np.int64)) for of in (error, wide))
        return cls(source.size, squared_error, source_energy, int(np.abs(error).max(initial=0)), peak)

    def __add__(self, other: ErrorSums) -> ErrorSums:
        return ErrorSums(
            self.samples + other.samples,
            self.squared_error + other.squared_error,
            self.source_energy + other.source_energy,
            max(self.max_error, other.max_error),
            max(self.peak, other.peak),
        )

    @property
    def identical(self) -> bool:
        """Whether every sample is the same."""
        return self.squared_error == 0

    @property
    def mse(self) -> float:
        """Mean squared error per sample, in squared sample values (0…peak²)."""
        return self.squared_error / self.samples

    @property
    def psnr(self) -> float:
        """10·log10(peak² / MSE) in dB; infinite where identical."""
        return math.inf if self.identical else 10 * math.log10(self.peak * self.peak / self.mse)

    @property
    def snr(self) -> float:
        """10·log10(Σ source² / Σ (source − decoded)²) in dB; infinite where identical, −infinite for a black source."""
        if self.identical:
            return math.inf
        return 10 * math.log10(self.source_energy / self.squared_error) if self.source_energy else -math.inf

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an infinite ratio is None, and ``identical`` says which kind."""
        names = ("identical", "mse", "psnr", "snr", "max_error")
        return {name: _finite(getattr(self, name)) for name in names}


@dataclass(frozen=True)
class PictureError:
    """The error of one picture, or of a whole sequence.

    Attributes:
        planes: sums of each plane by its letter, in the order of the planes.
        ssim: structural similarity of luma, which alpha is not in, −1…1; of a sequence the mean over its pictures;
            None where it was not asked for, cannot be had, or pictures are smaller than its window.
    """

    planes: dict[str, ErrorSums]
    ssim: float | None = None

    @property
    def total(self) -> ErrorSums:
        """Sums over all planes, alpha too: every sample counts once, so subsampled chroma counts less."""
        return sum(self.planes.values(), ErrorSums())

    @property
    def psnr_yuv(self) -> float | None:
        """(6·PSNR_Y + PSNR_U + PSNR_V) / 8 in dB, for Y'CbCr only.

        Each plane's PSNR is from one MSE over the whole sequence.
        Infinite where all planes are identical; None where only some are, as infinity would hide the others.
        """
        if tuple(self.planes) != ("Y", "U", "V") or len({plane.identical for plane in self.planes.values()}) == 2:
            return None
        y, u, v = (plane.psnr for plane in self.planes.values())
        return (6 * y + u + v) / 8

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the total's, ``psnr_yuv``, ``ssim``, and each plane's under ``planes``."""
        planes = {name: plane.as_dict() for name, plane in self.planes.items()}
        return self.total.as_dict() | {"psnr_yuv": _finite(self.psnr_yuv), "ssim": self.ssim, "planes": planes}


@dataclass(frozen=True)
class Comparison:
    """Two sequences of one format compared: ``pictures`` one by one, and the ``whole``."""

    format: PictureFormat
    pictures: tuple[PictureError, ...]
    whole: PictureError

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the format, the picture count, the whole's values, and each picture's."""
        return {
            "width": self.format.width,
            "height": self.format.height,
            "sample_format": self.format.sample_format.label,
            "bit_depth": self.format.bit_depth,
            "picture_count": len(self.pictures),
            **self.whole.as_dict(),
            "pictures": [{"number": number, **error.as_dict()} for number, error in enumerate(self.pictures)],
        }


def compare_sequences(
    source_pictures: Iterable[Picture],
    decoded_pictures: Iterable[Picture],
    ssim: bool = False,
    *,
    names: tuple[str, str] = ("source", "decoded"),
) -> Comparison:
    """Compare two sequences picture by picture; only one picture of each is held.

    A sequence without alpha is compared with one whose alpha is opaque everywhere as if neither had any.
    ``ssim`` asks for SSIM, which needs the extra ``mvz[ssim]`` and is None without it.
    Error messages call the two sequences by ``names``.

    Raises:
        MediaError: other sizes, other formats, another number of pictures, or no pictures.
    """
    errors: list[PictureError] = []
    picture_format: PictureFormat | None = None
    for number, (source, decoded) in enumerate(itertools.zip_longest(source_pictures, decoded_pictures)):
        if source is None or decoded is None:
            short, long = names if source is None else names[::-1]
            raise MediaError(f"{short}: ends after {number} pictures; {long} has more")
        if source.format.sample_format.has_alpha is not decoded.format.sample_format.has_alpha:
            for name, picture in zip(names, (source, decoded), strict=True):
                if not is_opaque(picture):
                    raise MediaError(f"{name}, picture {number}: has transparent pixels, and the other has no alpha")
            source, decoded = (as_given(picture, picture.format.opaque()) for picture in (source, decoded))
        picture_format = picture_format or source.format
        for name, picture in zip(names, (source, decoded), strict=True):
            _refuse_other_format(picture_format, picture.format, f"{name}, picture {number}")
        errors.append(measure_picture(source, decoded, ssim))
    if picture_format is None:
        raise MediaError(f"{names[0]} and {names[1]}: no pictures to compare")
    planes = {name: sum((error.planes[name] for error in errors), ErrorSums()) for name in errors[0].planes}
    similarities = [error.ssim for error in errors if error.ssim is not None]
    whole = PictureError(planes, math.fsum(similarities) / len(similarities) if similarities else None)
    return Comparison(picture_format, tuple(errors), whole)


def measure_picture(source: Picture, decoded: Picture, ssim: bool = False) -> PictureError:
    """The error of one picture against its source; both must have the same planes."""
    peak = source.format.peak
    sums = (ErrorSums.of_planes(*pair, peak) for pair in zip(source.planes, decoded.planes, strict=True))
    planes = dict(zip(source.format.sample_format.plane_names, sums, strict=True))
    return PictureError(planes, structural_similarity(source, decoded) if ssim else None)


def structural_similarity(source: Picture, decoded: Picture) -> float | None:
    """SSIM of luma (the Y plane, or Rec. 601 luma of RGB) as Wang et al. 2004 define it; 1 where identical.

    Computed by scikit-image; None where scikit-image is not installed, or a side is smaller than the window of 11.
    """
    try:
        from skimage.metrics import structural_similarity as ssim
    except ImportError:
        return None
    first, second = luma(source), luma(decoded)
    if min(first.shape) < SSIM_WINDOW:
        return None
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(ssim(first, second, data_range=source.format.peak, **options))  # type: ignore[no-untyped-call,unused-ignore]


def _refuse_other_format(expected: PictureFormat, found: PictureFormat, where: str) -> None:
    """Raise `MediaError` where equal samples of the two formats would be different colours, or other places."""
    if (expected.width, expected.height) != (found.width, found.height):
        raise MediaError(f"{where}: is {found.width}×{found.height}; {expected.width}×{expected.height} is needed")
    if expected.sample_format is not found.sample_format:
        kinds = f"is {found.sample_format.label}; {expected.sample_format.label} is needed"
        raise MediaError(f"{where}: {kinds}, as other planes hold other samples; convert one of the two first")
    if expected.is_float is not found.is_float:
        kinds = f"{'floating point' if found.is_float else 'whole numbers'}, and the other has not"
        raise MediaError(f"{where}: has samples of {kinds}")
    if expected.bit_depth != found.bit_depth:
        raise MediaError(f"{where}: has {found.bit_depth} bits a sample; {expected.bit_depth} are needed")
    for field in ("matrix", "range"):
        here, there = getattr(found.colour, field), getattr(expected.colour, field)
        if type(here).UNSPECIFIED not in (here, there) and here is not there:  # else it is taken as the other's
            raise MediaError(f"{where}: has colour {field} {here.name.lower()}; {there.name.lower()} is needed")


def _finite(value: float | None) -> float | None:
    """JSON has no infinity."""
    return value if value is not None and math.isfinite(value) else None
