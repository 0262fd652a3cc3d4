"""What pages of HTML share: templates, numbers as text, and pictures inside them."""

from __future__ import annotations

import base64
import math
from typing import Literal

import jinja2
import numpy as np
import numpy.typing as npt

from codec.picture.images import encoded
from codec.picture.planes import Samples

__all__ = ["data_url", "decibels", "environment", "picture_url"]


def environment() -> jinja2.Environment:
    """Templates of this package; everything is escaped that is not markup by intent."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("codec.show"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def decibels(value: float | None) -> str:
    """Two decimals, ∞ for identical samples, a dash for nothing."""
    if value is None:
        return "–"
    return "∞" if math.isinf(value) else f"{value:.2f}"


def data_url(media_type: str, data: bytes) -> str:
    """Bytes as a URL that needs no network."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def picture_url(samples: npt.NDArray[Samples], kind: Literal["PNG", "WEBP"] = "PNG") -> str:
    """(H, W) or (H, W, 3) of 8 bits as a lossless picture in a ``data:`` URL."""
    return data_url(f"image/{kind.lower()}", encoded(np.ascontiguousarray(samples), kind))
