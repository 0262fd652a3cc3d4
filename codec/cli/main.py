"""The arguments of ``mvz``, and what its exit code says."""

from __future__ import annotations

import argparse
import difflib
import importlib
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from typing import Any, NoReturn

from codec import Limits, __version__
from codec.arguments import picture_rate
from codec.cli.completion import SHELLS, PrintCompletion
from codec.cli.terminal import say, say_aside
from codec.errors import CodecError, ConfigError, ExistsError, LimitError, TruncatedError
from codec.models import MotionModel, ResidualCoder, Speed
from codec.picture.film_coding import CODERS as FILM_CODERS
from codec.picture.film_coding import DEFAULT_CRF
from codec.settings import (
    ALPHAS,
    BLOCK_SIZES,
    CHROMAS,
    DEFAULT_BLOCK,
    DEFAULT_QP,
    DEFAULT_SEARCH,
    MINI_GOPS,
    MOST_SEARCHED,
    QUALITIES,
    Settings,
)

DONE, DATA_IS_BAD, WRONG_USE = 0, 1, 2


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; a `CodecError` becomes one line on standard error."""
    try:
        options = build_parser().parse_args(arguments)
        command = importlib.import_module(f"codec.cli.{options.command}")
        code: int = command.main(options)
        if sys.stdout is not None:
            sys.stdout.flush()
    except ExistsError as error:
        return _complain(f"{error.found}; --force {error.permitted}", WRONG_USE)
    except ConfigError as error:
        return _complain(_as_option(str(error)), WRONG_USE)
    except LimitError as error:
        return _complain(f"{error}; --max-… raises a limit, see --help", DATA_IS_BAD)
    except CodecError as error:
        has_whole = isinstance(error, TruncatedError) and error.pictures_before_cut
        hint = "; decode --skip-damaged writes what is whole" if has_whole else ""
        return _complain(f"{error}{hint}", DATA_IS_BAD)
    except BrokenPipeError:
        # the reader of our output has stopped; the interpreter must not fail on that again at exit
        sys.stdout = None
        return DONE
    except OSError as error:  # of standard output: files that are asked for are MediaErrors
        sys.stdout = None
        name = error.filename or "standard output"
        return _complain(f"{name}: cannot be written: {error.strerror or error}", DATA_IS_BAD)
    return code


def _complain(message: str, code: int) -> int:
    say_aside(f"mvz: {message}")
    return code


def _as_option(message: str) -> str:
    """A message about a setting, which starts with the setting's name, with the option in its place."""
    name, _, rest = message.partition(" ")
    is_setting = rest and name in {
        "matrix",
        "primaries",
        "transfer",
        "range",
        "archive",
        "film",
        "crf",
        *(each.name for each in fields(Settings)),
    }
    return f"--{name.replace('_', '-')} {rest}" if is_setting else message


# ------------------------------------------------------------------------------------------- what an argument may be


def _picture_range(text: str) -> slice:
    """An argument such as 10:20, 10:, :20, or 7 for a single picture."""
    start, colon, stop = text.partition(":")
    try:
        if not colon:
            return slice(int(start), int(start) + 1 or None)
        return slice(int(start) if start else None, int(stop) if stop else None)
    except ValueError as error:
        raise ConfigError(f"{text!r} is not A:B with whole numbers") from error


def _number(text: str) -> float:
    try:
        return int(text) if text.lstrip("-").isdecimal() else float(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is not a number such as 28 or 28.5") from error


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"{text!r} is not a whole number from 1")
    return int(text)


def _steps(text: str) -> list[int]:
    try:
        steps = [int(step) for step in text.split(",")]
    except ValueError as error:
        raise ConfigError(f"{text!r} is not a list such as 2,4,8") from error
    if not all(1 <= step <= 255 for step in steps):
        raise ConfigError(f"steps lie in 1…255, not {text}")
    return steps


def _some_of(labels: Sequence[str], text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in labels:
            raise ConfigError(_no_choice(name, labels))
    return names


def _no_choice(value: object, choices: Iterable[object]) -> str:
    names = [str(choice) for choice in choices]
    return f"invalid choice: {str(value)!r}{_meant(str(value), names)} (choose from {', '.join(names)})"


def _meant(word: str, words: Iterable[str]) -> str:
    """A question after the most similar of ``words``, if there is one."""
    similar = difflib.get_close_matches(word, words, 1)
    return f"; did you mean {similar[0]}?" if similar else ""


_CODERS, _MODELS, _SPEEDS = ([member.label for member in kind] for kind in (ResidualCoder, MotionModel, Speed))
_VALUES: Mapping[str, Mapping[str, Any]] = {
    "A:B": {"type": _picture_range},
    "ALPHA": {"choices": ALPHAS},
    "CODER": {"choices": _CODERS},
    "CODERS": {"type": partial(_some_of, _CODERS)},
    "COUNT": {"type": _count},
    "CHROMA": {"choices": CHROMAS},
    "FILM": {"choices": FILM_CODERS},
    "MODEL": {"choices": _MODELS},
    "MODELS": {"type": partial(_some_of, _MODELS)},
    "DB": {"type": _number},
    "N": {"type": int},
    "QP": {"type": _number},
    "QUALITY": {"choices": tuple(QUALITIES)},
    "RATE": {"type": picture_rate},
    "PICTURES": {"type": int, "choices": MINI_GOPS},
    "SIDE": {"type": int, "choices": BLOCK_SIZES},
    "SPEED": {"choices": _SPEEDS},
    "STEPS": {"type": _steps},
}
"""What the words in capital letters in the tables below stand for; every other word is text."""

# ------------------------------------------------------------------------------------------- commands

_CODES = "Exit codes: 0 done; 1 the data is bad or differs; 2 wrong use; 130 interrupted."
_INPUT = """INPUT is a folder, a quoted glob ('frames/*.png'), a printf pattern (frames/%04d.png), a list of files,
an animated GIF, APNG or WebP, a TIFF, a film (needs mvz[video]), a .y4m file, - (Y4M on standard input), an .mvz file,
or a .npy array (T, H, W[, 3]), with alpha (T, H, W, 2 or 4)."""
_OUTPUT = """OUTPUT is a folder or printf pattern (PNG; source names are restored in a folder), or a file ending in
.y4m, .gif, .webp, .apng, .tif or .npy, a film ending in .mkv, .mp4, .m4v or .mov (needs mvz[video]), or - (Y4M on
standard output)."""

# What each command does, its arguments, and how its help ends, with blank lines between.
# A row has the names of an argument and the word for its value, two blanks or more, and its help, which goes on in
# lines that start with a blank.
# A word alone is given by its place; [WORD] may be left out, WORD... is one or more, and --name WORD! is required.
# [name] in small letters starts a group.

_LAID_OVER = "--background COLOUR  lay pictures with alpha over it first: black, gray, white, #rgb or #rrggbb"
_JOBS = "--jobs COUNT  threads (default: one a core)"
_FORCE = "--force  replace what exists"
_QUIET = "--quiet  no progress, no notes and no summary"
_COMMON = f"{_JOBS}\n{_FORCE}\n{_QUIET}"
_RANGE = "A to before B, counted from 0, or from the end where negative"
_SCHEDULER = "--scheduler ADDRESS  a dask scheduler, such as tcp://192.168.0.2:8786, whose workers share the"
_INSTEAD = "instead of threads here (needs mvz[cluster] everywhere)"
_LIMITS = f"""[limits]                    What a file may ask for; one that asks for more is refused.
--max-pixels COUNT          luma samples of a picture (default {Limits.max_pixels:,})
--max-group-bytes COUNT     bytes of a packet of pictures, decompressed (default {Limits.max_group_bytes:,})
--max-pictures COUNT        pictures of a file (default {Limits.max_pictures:,})
--max-names-bytes COUNT     bytes of the names in a packet (default {Limits.max_names_bytes:,})
--max-metadata-bytes COUNT  bytes of the metadata (default {Limits.max_metadata_bytes:,})
--max-attachment-bytes COUNT  bytes of what came with the pictures of a packet, decompressed
                            (default {Limits.max_attachment_bytes:,})
--max-samples COUNT         samples of all planes and pictures that are decoded, which bounds the time
                            (default {Limits.max_samples:,})"""
_QUALITIES = f"QP {', '.join(map(str, QUALITIES.values()))}"
_COMMANDS = {
    "encode": f"""turn a sequence of pictures into one .mvz file

INPUT...           the pictures (see below)
-o --output FILE!  the .mvz file to make
{_COMMON}
--json             the summary as JSON
{_SCHEDULER} GOPs {_INSTEAD}
[coding]           An option that would change nothing beside the others is refused.
--residual CODER   how the prediction error is kept: %(choices)s (default: dct with --qp or what stands for it,
                   int8 with --step, else lossless)
--motion MODEL     how pictures are predicted: %(choices)s (default {MotionModel.BLOCK.label})
-q --qp QP         quantiser of dct, 0…51, of more than 8 bits also less; six more double its step, and nearly halve the
                   file; 28.5 lies between 28 and 29 (default {DEFAULT_QP})
--quality QUALITY  instead of a QP of dct: %(choices)s ({_QUALITIES})
--target-size SIZE  instead of a QP: a file no larger than SIZE, such as 2MB, 500kB or 2MiB, and at most 1 %% smaller;
                   this and the next three encode a few times, of a long source mostly a sample
--bitrate BITS     instead of a QP: as --target-size, in bits a second, such as 800k or 1.5Mbit
--target-psnr DB   instead of a QP: PSNR over all samples, as compare shows it, at least DB, and at most 0.1 dB more
--target-max-error N  instead of a QP: the largest whole one at which no sample is off by more than N; --max-error
                   of lossless keeps to that without a search
--chroma CHROMA    how dct codes the chroma of RGB pictures: %(choices)s (default {CHROMAS[0]})
--step N           quantiser step, 1…255, of int8 and uint8; without it the smallest scale at which nothing saturates
--max-error N      how far lossless may be off in any sample but alpha, 0…127, of 16 bits 0…32767: much smaller
                   (default 0)
--alpha ALPHA      what becomes of transparency: %(choices)s; clear leaves out the colour of pixels that nobody sees,
                   drop lays pictures over --background, and refuses what is not opaque without one
                   (default: drop with --background, else keep)
--alpha-error N    how far lossless and dct may be off in any sample of alpha, 0…127, of 16 bits 0…32767: much smaller
                   where it is soft; what is fully transparent or opaque stays so (default 0)
--background COLOUR  what is laid under pictures that are not opaque: black, gray, white, #rgb or #rrggbb
--gop N            pictures from one I picture to the next (default {Settings.gop})
--[no-]scene-cut   start a GOP where a scene does (default: do)
--run N            pictures that share one packet (default: the whole GOP for dct, 8 for lossless, more of pictures
                   smaller than 352×288, 1 for the others)
--reorder PICTURES  so many pictures of dct are coded in another order than they are shown in, all but one of them as B
                   pictures: %(choices)s; 1 for low delay (default 8, or 1 where that would
                   be larger, and with alpha)
--block SIDE       side of a block or mesh cell: %(choices)s; dct has its own (default {DEFAULT_BLOCK})
--search N         largest motion looked for, in samples, 0…256 (default {DEFAULT_SEARCH};
                   for dct a sixteenth of the width, {DEFAULT_SEARCH}…{MOST_SEARCHED})
--speed SPEED      how thoroughly the encoder searches: %(choices)s (default {Speed.MEDIUM.label})
--fps RATE         pictures per second, such as 25 or 30000/1001, instead of the source's rate or times (default:
                   the source's, or 25)
--matrix MATRIX    how Y'CbCr was made, where the source cannot say: bt601, bt709, bt2020 …, or a number of H.273
--primaries NAME   which red, green and blue are meant: bt709, bt2020, display_p3 …, or a number of H.273
--transfer NAME    how samples follow from light: bt709, srgb, linear, pq, hlg …, or a number of H.273
--range NAME       full (0…255) or limited (16…235)
--archive          keep what gives back the files byte for byte (PNG, and files that are not compressed); of others a
                   hash; decode to such a file or a folder does so, and verify checks it
--[no-]attachments  keep what comes with the pictures: ICC, Exif, XMP, texts, resolution (default: do)

{_INPUT}""",
    "decode": f"""turn an .mvz file back into pictures

FILE                 an .mvz file
-o --output OUTPUT!  where to (see below)
--pictures A:B       only pictures {_RANGE}
--skip-damaged       write what is whole of a file that is damaged or cut, say which pictures are missing,
                     and exit with 1
--background COLOUR  lay pictures with alpha over it: black, gray, white, #rgb or #rrggbb; what has no place for
                     alpha, .gif and .y4m, needs that
--film FILM          how a film is coded: ffv1, which is exact, or x264 (default: ffv1 for .mkv, else x264)
--crf N              how much x264 leaves out, 0…51; 0 is exact (default {DEFAULT_CRF})
{_COMMON}
--json               the summary as JSON
{_LIMITS}

{_OUTPUT}""",
    "info": f"""tell what is in an .mvz file, and what its bytes are for

FILE        an .mvz file
--pictures  list every picture, however many there are
--json      everything as JSON
{_LIMITS}

""",
    "compare": f"""measure how two sequences differ: MSE, PSNR, SNR, SSIM, per picture and in all

A          the original
B          what is compared with it
--json     as JSON
--csv      a line a picture, as CSV
--no-ssim  leave out SSIM, the slowest of the measures
{_LAID_OVER}
--quiet    no progress and no notes
{_LIMITS}

A and B are .mvz files or anything that encode takes; A is the original. Exit code 1 if any sample differs.""",
    "verify": f"""check that an .mvz file is whole, and that it is what its source was

FILE      an .mvz file
[SOURCE]  what it was made from
{_LAID_OVER}
--json    as JSON
--quiet   no progress and no notes
{_JOBS}
{_LIMITS}

Every packet and every decoded picture is checked against its CRC-32. With SOURCE, an .mvz file or anything that encode
takes, every sample is compared; exit code 1 if the file is further off than it promises: lossless promises to be exact
or within its --max-error, the other coders promise nothing.""",
    "report": f"""encode every way, measure, and write one page of size against error

INPUT...           the pictures (see below)
-o --output PAGE!  the .html page to make
--json FILE        also write all points as JSON
--csv FILE         also write all points as CSV
{_COMMON}
{_SCHEDULER} points {_INSTEAD}
[sweep]            What is measured.
--residual CODERS  residual coders, with commas between (default: all)
--motion MODELS    motion models, with commas between (default: all)
--step STEPS       steps of int8 and uint8, with commas between (default: a sensible set)
--points COUNT     points a curve, spread over the range of its dial (default: a sensible set)
--chroma CHROMA    how dct codes the chroma of RGB pictures: %(choices)s (default {CHROMAS[0]})
--pictures COUNT   measure only so many pictures from the first on
--anchor CURVE     curve that others are compared with, such as 'int8, block' (default: x264 where it was
                   measured, else the first of block motion)
--peers            measure other codecs too: PNG, WebP, and what ffmpeg has of ffv1, x264, x265, SVT-AV1, VP9, MPEG-4,
                   MPEG-2, MJPEG; that on PATH, or of imageio-ffmpeg (pip install 'mvz[peers]')

{_INPUT}
If this is interrupted, measured points wait in a hidden folder beside PAGE for the next call.""",
    "plot": f"""draw vectors, field, mesh, prediction and residual of pictures, and why prediction goes backward

FILE              an .mvz file
-o --output DIR!  folder for the drawings
--pictures A:B    draw pictures {_RANGE} (default: picture 1)
--svg             SVG instead of PNG; the same bytes every time
{_FORCE}
--quiet           no progress, and no list of what was drawn
{_LIMITS}

Of I pictures only those of dct are drawn; the residual and the lesson are of luma. Pictures are counted from 0.""",
    "inspect": f"""write one page to look into a file, or into two side by side: pictures, cells, vectors, bits

FILE               an .mvz file
[OTHER]            another of the same size, to stand beside it: a slider between both, and their difference
-o --output PAGE!  the .html page to make
--pictures A:B     only pictures {_RANGE}
{_FORCE}
{_QUIET}
{_LIMITS}

The page needs no network. It stays below 30 MB: of a long file it shows every second, fourth … picture.""",
    "play": f"""play a file in the browser, on a page as inspect makes it

FILE            an .mvz file
--pictures A:B  only pictures {_RANGE}
{_QUIET}
{_LIMITS}

The page is made in a temporary folder. Where there is no display its path is printed.""",
    "demo": f"""make a small moving sequence, encode it every way, check, write the report and a page to look inside

-o --output FOLDER  where the sequence, files and pages go (default: a new temporary folder)
{_COMMON}

""",
}


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; imports nothing heavy."""
    parser = _Parser(
        prog="mvz",
        description="A readable video codec: image sequences to one .mvz file and back.",
        epilog=f"mvz COMMAND --help says more. {_CODES}",
    )
    parser.add_argument("--version", action="version", version=f"mvz {__version__}")
    says = "print the script that lets a shell complete mvz: %(choices)s (needs mvz[completion])"
    parser.add_argument("--print-completion", action=PrintCompletion, choices=SHELLS, metavar="SHELL", help=says)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in _COMMANDS.items():
        does, table, more = text.split("\n\n")
        command = commands.add_parser(
            name, help=does, description=f"{does[0].upper()}{does[1:]}.", epilog=f"{more} {_CODES}"
        )
        group: argparse._ActionsContainer = command
        for row in re.sub("\n +", " ", table).split("\n"):
            left, _, right = row.partition("  ")
            if left.startswith("[") and left.islower():
                group = command.add_argument_group(left[1:-1], right.strip())
            else:
                _add_argument(group, left.split(), right.strip())
    return parser


def _add_argument(group: argparse._ActionsContainer, words: Sequence[str], text: str) -> None:
    """Add the argument of a row, whose left side is ``words``, to a parser or a group of it."""
    names = [word.replace("[no-]", "") for word in words if word.startswith("-")]
    value = words[-1].strip("[].!") if not words[-1].startswith("-") else ""
    options: dict[str, Any] = {"help": text}
    if value:
        options |= {"metavar": value, **_VALUES.get(value, {})}
    else:
        options["action"] = argparse.BooleanOptionalAction if "[no-]" in words[-1] else "store_true"
    if not names:
        names, options["nargs"] = [value.lower()], {"]": "?", ".": "+"}.get(words[-1][-1])
    if words[-1].endswith("!"):
        options["required"] = True
    group.add_argument(*names, **options)


class _Parser(argparse.ArgumentParser):
    """Prints as all of this package does, and asks whether a wrong word was meant to be another."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.color = False  # of Python 3.14
        self._negative_number_matcher = re.compile(r"-\d+(\.\d*|:(-?\d+)?)?$")  # --pictures -5:-1 has a value

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:  # said here, where the command is known
            word = unknown[0].partition("=")[0]
            self.error(f"unknown argument {word}{_meant(word, self._option_string_actions)}")
        return known, unknown

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        try:
            return super()._get_value(action, arg_string)
        except ConfigError as error:
            raise argparse.ArgumentError(action, str(error)) from error

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, _no_choice(value, action.choices))

    def _print_message(self, message: str, file: Any = None) -> None:
        say(*message.splitlines())

    def error(self, message: str) -> NoReturn:
        say_aside(f"{self.prog}: {message}", f"{self.prog} --help says what there is")
        raise SystemExit(WRONG_USE)
