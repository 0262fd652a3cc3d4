"""Every exception that this package raises on purpose.

Which is a kind of which:

    CodecError
    ├── ConfigError          a setting or an argument is wrong
    ├── MediaError           a source or target (pictures, Y4M, arrays) cannot be read or written
    │   └── ExistsError      a target exists, and nobody said that it may be replaced
    └── BitstreamError       an .mvz file breaks a rule of format_spec.md
        ├── TruncatedError   the file or a packet ends early
        ├── ChecksumError    bytes or decoded pictures differ from their CRC-32
        ├── UnsupportedError a version, coder or packet kind that this reader does not know
        └── LimitError       a declared size is beyond what the reader accepts
"""

from __future__ import annotations

__all__ = [
    *("BitstreamError", "ChecksumError", "CodecError", "ConfigError", "ExistsError", "LimitError", "MediaError"),
    *("TruncatedError", "UnsupportedError"),
]


class CodecError(Exception):
    """Base of everything that mvz raises on purpose."""


class ConfigError(CodecError):
    """A setting or an argument has a value that makes no sense."""


class MediaError(CodecError):
    """A picture source or target is missing, unreadable, inconsistent or unsupported.

    The message starts with the file's name where there is one.
    """


class ExistsError(MediaError):
    """A target exists, and replacing it was not asked for.

    ``found`` says what is there, and ``permitted`` what happens with ``force=True``, on the command line ``--force``.
    """

    def __init__(self, found: str, permitted: str = "replaces it") -> None:
        super().__init__(found, permitted)
        self.found, self.permitted = found, permitted

    def __str__(self) -> str:
        return f"{self.found}; force=True {self.permitted}"


class BitstreamError(CodecError):
    """An ``.mvz`` file breaks a rule of the format.

    ``rule`` says what was expected and what was found.
    ``path`` and ``offset`` (bytes from the start of the file) say where; the layer that knows them adds
    them with `located`.
    """

    def __init__(self, rule: str, *, path: str | None = None, offset: int | None = None) -> None:
        super().__init__(rule)
        self.rule = rule
        self.path = path
        self.offset = offset

    def located(self, path: str, offset: int) -> BitstreamError:
        """This error with its place, where it does not have one yet; returns itself, to be raised again."""
        if self.path is None:
            self.path = path
        if self.offset is None:
            self.offset = offset
        return self

    def __str__(self) -> str:
        where = self.path or ""
        if self.offset is not None:
            where += f"{', ' if where else ''}byte {self.offset}"
        return f"{where}: {self.rule}" if where else self.rule


class TruncatedError(BitstreamError):
    """The file, a packet or a stream ends before what it declares.

    Of a file that was cut, ``pictures_before_cut`` is the number of the picture that the cut leaves incomplete: all
    before it are whole, as far as they are not damaged otherwise. None where the file is not cut, or nobody knows.
    """

    def __init__(
        self, rule: str, *, path: str | None = None, offset: int | None = None, pictures_before_cut: int | None = None
    ) -> None:
        super().__init__(rule, path=path, offset=offset)
        self.pictures_before_cut = pictures_before_cut


class ChecksumError(BitstreamError):
    """A packet's bytes or a decoded picture's samples do not have the CRC-32 that the file gives."""


class UnsupportedError(BitstreamError):
    """The file is well formed, as far as can be told, but newer or other than what this reader knows."""


class LimitError(BitstreamError):
    """A declared size is beyond `codec.Limits`; nothing was allocated for it."""
