"""What a reader is willing to allocate for a file that it knows nothing about."""

from __future__ import annotations

from dataclasses import dataclass, fields

from codec.errors import ConfigError

__all__ = ["DEFAULT_LIMITS", "MAX_NAME_BYTES", "Limits"]


@dataclass(frozen=True)
class Limits:
    """Bounds checked before anything is allocated; beyond them a reader raises `LimitError`.

    Raises:
        ConfigError: one is no whole number from 0.

    Attributes:
        max_pixels: luma samples of a picture.
        max_group_bytes: levels or symbols, vectors and modes of one packet, unpacked.
        max_pictures: pictures of a file.
        max_names_bytes: names of one packet, unpacked.
        max_metadata_bytes: a metadata packet.
        max_attachment_bytes: what came with the pictures of a packet, unpacked.
        max_samples: samples of all planes that one call decodes, which bounds how long it takes.
    """

    max_pixels: int = 1 << 26  # 8192 × 8192; about 100 MB of planes at 4:2:0
    max_group_bytes: int = 1 << 31  # 32 pictures of 3840 × 2160 RGB in float16 are 1.6 GB
    max_pictures: int = 1 << 22  # 19 hours at 60 pictures a second
    max_names_bytes: int = 1 << 20  # 1024 names of 1 kB, four times what file systems allow
    max_metadata_bytes: int = 1 << 20  # a page of notes a few hundred times over
    max_attachment_bytes: int = 1 << 24  # 32 pictures with an Exif of 64 kB and a profile take an eighth
    max_samples: int = 1 << 43  # 8.8e12; two hours of 3840 × 2160 at 60 pictures a second are 5.4e12 at 4:2:0

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ConfigError(f"{limit.name} is a whole number from 0, not {value!r}")


DEFAULT_LIMITS = Limits()
MAX_NAME_BYTES = 1000  # what a writer takes, so that the names of 1024 pictures keep to `max_names_bytes`
