"""What pages of HTML share: templates, and pictures inside them."""

from __future__ import annotations

import base64
from importlib import resources

import jinja2

__all__ = ["asset", "data_url", "environment"]


def environment() -> jinja2.Environment:
    """Templates of this package; everything is escaped that is not markup by intent."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("codec.show"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def asset(name: str) -> str:
    """The text of a style sheet or script that goes into a page as it is."""
    return resources.files("codec.show").joinpath("templates", name).read_text("utf-8")


def data_url(media_type: str, data: bytes) -> str:
    """Bytes as a URL that needs no network."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
