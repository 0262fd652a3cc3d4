"""How films are coded that are written, which is said before FFmpeg's libraries are needed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple, get_args

from codec.errors import ConfigError

__all__ = ["CODERS", "DEFAULT_CRF", "FILM_SUFFIXES", "MISSING", "FilmCoder", "FilmCoding", "film_coding"]

FilmCoder = Literal["ffv1", "x264"]

CODERS: tuple[FilmCoder, ...] = get_args(FilmCoder)
DEFAULT_CRF = 18  # of x264: hardly anybody sees what is lost
FILM_SUFFIXES = (".mkv", ".mp4", ".m4v", ".mov")
MISSING = "python -m pip install 'mvz[video]' reads and writes films"


class FilmCoding(NamedTuple):
    """``ffv1``, which is exact, or ``x264`` with its constant rate factor, of which 0 is exact."""

    coder: FilmCoder
    crf: int


def film_coding(target: str, coder: FilmCoder | None, crf: int | None) -> FilmCoding | None:
    """How pictures become the film that ``target`` names; None where that is none.

    What is not said is exact FFV1 for ``.mkv``, and x264 for other films, which players know.

    Raises:
        ConfigError: what is asked for has no effect, or films of that kind hold no FFV1.
    """
    suffix = Path(target).suffix.lower()
    if suffix not in FILM_SUFFIXES:
        for name, value in (("film", coder), ("crf", crf)):
            if value is not None:
                raise ConfigError(f"{name} is for films ({', '.join(FILM_SUFFIXES)}), not {target}")
        return None
    chosen = coder or ("ffv1" if suffix == ".mkv" and crf is None else "x264")
    if chosen not in CODERS:
        raise ConfigError(f"film is one of {', '.join(CODERS)}, not {coder!r}")
    if chosen == "ffv1" and suffix != ".mkv":
        raise ConfigError(f"film ffv1 is for .mkv, not {suffix}; with crf 0 x264 is exact too")
    if chosen == "ffv1" and crf is not None:
        raise ConfigError("crf is for film x264; ffv1 is exact")
    if crf is not None and not 0 <= crf <= 51:
        raise ConfigError(f"crf is a whole number from 0 to 51, not {crf!r}")
    return FilmCoding(chosen, DEFAULT_CRF if crf is None else crf)
