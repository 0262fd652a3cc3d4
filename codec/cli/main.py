"""The arguments of ``mvz``, and what its exit code says."""

from __future__ import annotations

import argparse
import difflib
import importlib
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields
from fractions import Fraction
from typing import Any, NoReturn

from codec import Limits, __version__
from codec.arguments import picture_rate as rate_of
from codec.cli.terminal import say, say_aside
from codec.errors import CodecError, ConfigError, ExistsError, LimitError, TruncatedError
from codec.models import MotionModel, ResidualCoder, Speed
from codec.settings import BLOCK_SIZES, CHROMAS, DEFAULT_BLOCK, DEFAULT_QP, DEFAULT_SEARCH, Settings

__all__ = ["build_parser", "run"]

DONE, DATA_IS_BAD, WRONG_USE = 0, 1, 2

_INPUT = """INPUT is a folder, a quoted glob ('frames/*.png'), a printf pattern (frames/%04d.png), a list of files,
an animated GIF, APNG or WebP, a .y4m file, - (Y4M on standard input), an .mvz file, or a .npy array (T, H, W[, 3])."""
_OUTPUT = """OUTPUT is a folder or printf pattern (PNG; source names are restored in a folder), or a file ending in
.y4m, .gif, .webp, .apng or .npy, or - (Y4M on standard output)."""
_CODES = "Exit codes: 0 done; 1 the data is bad or differs; 2 wrong use; 130 interrupted."


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors of ours become one line on standard error."""
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
        # whoever read us has had enough; the interpreter must not find that out again at exit
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
    """What is wrong with a setting, whose name comes first, as what was typed for it."""
    name, space, rest = message.partition(" ")
    return (
        f"--{name.replace('_', '-')} {rest}" if space and name in {each.name for each in fields(Settings)} else message
    )


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

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, _no_choice(value, action.choices))

    def _print_message(self, message: str, file: Any = None) -> None:
        say(*message.splitlines())

    def error(self, message: str) -> NoReturn:
        say_aside(f"{self.prog}: {message}", f"{self.prog} --help says what there is")
        raise SystemExit(WRONG_USE)


def _no_choice(value: object, choices: Iterable[object]) -> str:
    names = [str(choice) for choice in choices]
    return f"invalid choice: {str(value)!r}{_meant(str(value), names)} (choose from {', '.join(names)})"


def _meant(word: str, words: Iterable[str]) -> str:
    """A question after the most similar of ``words``, if there is one."""
    similar = difflib.get_close_matches(word, words, 1)
    return f"; did you mean {similar[0]}?" if similar else ""


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; imports nothing heavy."""
    parser = _Parser(
        prog="mvz",
        description="A readable video codec: image sequences to one .mvz file and back.",
        epilog=f"mvz COMMAND --help says more. {_CODES}",
    )
    parser.add_argument("--version", action="version", version=f"mvz {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_encode(commands)
    _add_decode(commands)
    _add_info(commands)
    _add_compare(commands)
    _add_verify(commands)
    _add_report(commands)
    _add_plot(commands)
    _add_inspect(commands)
    _add_demo(commands)
    return parser


_Commands = argparse._SubParsersAction  # argparse gives this type no public name


def _command(commands: _Commands[_Parser], name: str, help_: str, epilog: str = "") -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=help_, description=help_[0].upper() + help_[1:] + ".", epilog=f"{epilog} {_CODES}"
    )


def _add_encode(commands: _Commands[_Parser]) -> None:
    parser = _command(commands, "encode", "turn a sequence of pictures into one .mvz file", _INPUT)
    parser.add_argument("input", nargs="+", metavar="INPUT", help="the pictures (see below)")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the .mvz file to make")
    coding = parser.add_argument_group("coding", "An option that would change nothing beside the others is refused.")
    coding.add_argument(
        "--residual",
        choices=_labels(ResidualCoder),
        help="how the prediction error is kept: %(choices)s (default: dct with --qp, int8 with --step, else lossless)",
        metavar="CODER",
    )
    coding.add_argument(
        "--motion",
        choices=_labels(MotionModel),
        default=Settings.motion.label,  # type: ignore[union-attr]
        metavar="MODEL",
        help="how pictures are predicted: %(choices)s (default %(default)s)",
    )
    coding.add_argument(
        "-q",
        "--qp",
        type=int,
        metavar="QP",
        help=f"quantiser of dct, 0…51; six more double its step, and nearly halve the file (default {DEFAULT_QP})",
    )
    coding.add_argument(
        "--chroma", choices=CHROMAS, help=f"how dct codes the chroma of RGB pictures (default {CHROMAS[0]})"
    )
    coding.add_argument(
        "--step",
        type=int,
        metavar="N",
        help="quantiser step, 1…255, of int8 and uint8; without it the smallest scale at which nothing saturates",
    )
    coding.add_argument(
        "--max-error",
        type=int,
        metavar="N",
        help="how far lossless may be off in any sample, 0…16: near-lossless, much smaller (default 0)",
    )
    coding.add_argument(
        "--gop",
        type=int,
        default=Settings.gop,
        metavar="N",
        help="pictures from one I picture to the next (default %(default)s)",
    )
    coding.add_argument(
        "--scene-cut",
        action=argparse.BooleanOptionalAction,
        help="start a GOP where a scene does (default: do)",
    )
    coding.add_argument(
        "--run",
        type=int,
        metavar="N",
        help="pictures that share one packet (default: 8 for lossless, the whole GOP for dct, 1 for the others)",
    )
    coding.add_argument(
        "--block",
        type=int,
        choices=BLOCK_SIZES,
        metavar="S",
        help=f"side of a block or mesh cell: %(choices)s; dct has its own (default {DEFAULT_BLOCK})",
    )
    coding.add_argument(
        "--search",
        type=int,
        metavar="N",
        help=f"largest motion looked for, in samples, 0…256 (default {DEFAULT_SEARCH})",
    )
    coding.add_argument(
        "--speed",
        choices=_labels(Speed),
        help=f"how thoroughly the encoder searches (default {Speed.MEDIUM.label})",
    )
    coding.add_argument(
        "--fps",
        type=picture_rate,
        metavar="R",
        help="pictures per second, such as 25 or 30000/1001 (default: the source's, or 25)",
    )
    _add_common(parser)
    _add_scheduler(parser, "GOPs")


def _labels(kind: type[ResidualCoder] | type[MotionModel] | type[Speed]) -> list[str]:
    return [member.label for member in kind]


def _add_decode(commands: _Commands[_Parser]) -> None:
    parser = _command(commands, "decode", "turn an .mvz file back into pictures", _OUTPUT)
    parser.add_argument("input", metavar="FILE", help="an .mvz file")
    parser.add_argument("-o", "--output", required=True, metavar="OUTPUT", help="where to (see below)")
    _add_pictures(parser, "only pictures")
    parser.add_argument(
        "--skip-damaged",
        action="store_true",
        help="write what is whole of a file that is damaged or cut, say which pictures are missing, and exit with 1",
    )
    _add_common(parser)
    _add_limits(parser)


def _add_info(commands: _Commands[_Parser]) -> None:
    parser = _command(commands, "info", "tell what is in an .mvz file, and what its bytes are for")
    parser.add_argument("input", metavar="FILE", help="an .mvz file")
    parser.add_argument("--pictures", action="store_true", help="list every picture, however many there are")
    parser.add_argument("--json", action="store_true", help="everything as JSON")
    _add_limits(parser)


def _add_compare(commands: _Commands[_Parser]) -> None:
    parser = _command(
        commands,
        "compare",
        "measure how two sequences differ: MSE, PSNR, SNR, SSIM, per picture and in all",
        "A and B are .mvz files or anything that encode takes; A is the original. Exit code 1 if any sample differs.",
    )
    parser.add_argument("a", metavar="A", help="the original")
    parser.add_argument("b", metavar="B", help="what is held against it")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--csv", action="store_true", help="a line a picture, as CSV")
    parser.add_argument("--no-ssim", action="store_true", help="leave out SSIM, the slowest of the measures")
    _add_quiet(parser, "no progress and no notes")
    _add_limits(parser)


def _add_verify(commands: _Commands[_Parser]) -> None:
    parser = _command(
        commands,
        "verify",
        "check that an .mvz file is whole, and that it is what its source was",
        "Every packet and every decoded picture is held against its CRC-32. With SOURCE, an .mvz file or anything that "
        "encode takes, every sample is compared; exit code 1 if the file is further off than it promises: lossless "
        "promises to be exact or within its --max-error, the other coders promise nothing.",
    )
    parser.add_argument("file", metavar="FILE", help="an .mvz file")
    parser.add_argument("source", nargs="?", metavar="SOURCE", help="what it was made from")
    parser.add_argument("--json", action="store_true", help="as JSON")
    _add_jobs(parser)
    _add_quiet(parser, "no progress and no notes")
    _add_limits(parser)


def _add_report(commands: _Commands[_Parser]) -> None:
    parser = _command(
        commands,
        "report",
        "encode every way, measure, and write one page of size against error",
        f"{_INPUT} If this is interrupted, measured points wait in a hidden folder beside PAGE for the next call.",
    )
    parser.add_argument("input", nargs="+", metavar="INPUT", help="the pictures (see below)")
    parser.add_argument("-o", "--output", required=True, metavar="PAGE", help="the .html page to make")
    sweep = parser.add_argument_group("sweep")
    sweep.add_argument(
        "--residual",
        type=_list_of(ResidualCoder),
        metavar="LIST",
        help="residual coders, with commas between (default: all)",
    )
    sweep.add_argument(
        "--motion", type=_list_of(MotionModel), metavar="LIST", help="motion models, with commas between (default: all)"
    )
    sweep.add_argument(
        "--step",
        type=_steps,
        metavar="LIST",
        help="steps of int8 and uint8, with commas between (default: a sensible set)",
    )
    sweep.add_argument(
        "--points",
        type=_positive,
        metavar="N",
        help="points a curve, spread over the range of its dial (default: a sensible set)",
    )
    sweep.add_argument("--chroma", choices=CHROMAS, help="how dct codes the chroma of RGB pictures (default: 420)")
    sweep.add_argument("--pictures", type=_positive, metavar="N", help="measure only the first N pictures")
    sweep.add_argument(
        "--anchor",
        metavar="CURVE",
        help="curve that others are compared with, such as 'int8, block' (default: the first of block motion)",
    )
    sweep.add_argument(
        "--peers",
        action="store_true",
        help="measure other codecs too: PNG, WebP, and what ffmpeg has of ffv1, x264, x265, SVT-AV1, VP9, MPEG-4, "
        "MPEG-2, MJPEG; that on PATH, or of imageio-ffmpeg (pip install 'mvz[peers]')",
    )
    parser.add_argument("--json", metavar="FILE", help="also write all points as JSON")
    parser.add_argument("--csv", metavar="FILE", help="also write all points as CSV")
    _add_common(parser, json=False)
    _add_scheduler(parser, "points")


def _add_plot(commands: _Commands[_Parser]) -> None:
    parser = _command(
        commands,
        "plot",
        "draw vectors, field, mesh, prediction and residual of pictures, and why prediction goes backward",
        "Of I pictures only those of dct are drawn; the residual and the lesson are of luma. "
        "Pictures are counted from 0.",
    )
    parser.add_argument("input", metavar="FILE", help="an .mvz file")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder for the drawings")
    _add_pictures(parser, "draw pictures", " (default: picture 1)")
    parser.add_argument("--svg", action="store_true", help="SVG instead of PNG; the same bytes every time")
    _add_force(parser)
    _add_quiet(parser, "no progress, and no list of what was drawn")
    _add_limits(parser)


def _add_inspect(commands: _Commands[_Parser]) -> None:
    parser = _command(
        commands,
        "inspect",
        "write one page to look into a file: pictures, cells, vectors, residual, estimated bits",
        "The page needs no network. It stays below 30 MB: of a long file it shows every second, fourth … picture.",
    )
    parser.add_argument("input", metavar="FILE", help="an .mvz file")
    parser.add_argument("-o", "--output", required=True, metavar="PAGE", help="the .html page to make")
    _add_pictures(parser, "only pictures")
    _add_force(parser)
    _add_quiet(parser)
    _add_limits(parser)


def _add_demo(commands: _Commands[_Parser]) -> None:
    parser = _command(
        commands,
        "demo",
        "make a small moving sequence, encode it every way, check, write the report and a page to look inside",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FOLDER",
        help="where the sequence, files and pages go (default: a new temporary folder)",
    )
    _add_common(parser, json=False)


def _add_common(parser: argparse.ArgumentParser, json: bool = True) -> None:
    _add_jobs(parser)
    _add_force(parser)
    _add_quiet(parser)
    if json:
        parser.add_argument("--json", action="store_true", help="the summary as JSON")


def _add_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=_positive, metavar="N", help="threads (default: one a core)")


def _add_force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="replace what exists")


def _add_quiet(parser: argparse.ArgumentParser, what: str = "no progress, no notes and no summary") -> None:
    parser.add_argument("--quiet", action="store_true", help=what)


def _add_pictures(parser: argparse.ArgumentParser, what: str, default: str = "") -> None:
    parser.add_argument(
        "--pictures",
        type=picture_range,
        default=None if default else slice(None),
        metavar="A:B",
        help=f"{what} A to before B, counted from 0, or from the end where negative{default}",
    )


_LIMITS = {
    "max_pixels": "luma samples of a picture",
    "max_group_bytes": "bytes of a packet of pictures, decompressed",
    "max_pictures": "pictures of a file",
    "max_names_bytes": "bytes of the names in a packet",
    "max_metadata_bytes": "bytes of the metadata",
    "max_samples": "samples of all planes and pictures that are decoded, which bounds the time",
}


def _add_limits(parser: argparse.ArgumentParser) -> None:
    limits = parser.add_argument_group("limits", "What a file may ask for; one that asks for more is refused.")
    for limit in fields(Limits):
        limits.add_argument(
            f"--{limit.name.replace('_', '-')}",
            type=_positive,
            default=limit.default,
            metavar="N",
            help=f"{_LIMITS[limit.name]} (default {limit.default:,})",
        )


def _add_scheduler(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help=f"a dask scheduler, such as tcp://192.168.0.2:8786, whose workers share the {what} instead of threads "
        "here (needs mvz[cluster] everywhere)",
    )


def picture_rate(text: str) -> Fraction:
    """An argument such as 25, 23.976 or 30000/1001."""
    try:
        return rate_of(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def picture_range(text: str) -> slice:
    """An argument such as 10:20, 10:, :20, or 7 for a single picture."""
    start, colon, stop = text.partition(":")
    try:
        if not colon:
            return slice(int(start), int(start) + 1 or None)
        return slice(int(start) if start else None, int(stop) if stop else None)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not A:B with whole numbers") from error


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


class _list_of:  # noqa: N801  reads as what it is: an argument type
    """Argument type: names of an enumeration with commas between them."""

    def __init__(self, kind: type[ResidualCoder] | type[MotionModel]) -> None:
        self._labels = [member.label for member in kind]

    def __call__(self, text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in self._labels:
                raise argparse.ArgumentTypeError(_no_choice(name, self._labels))
        return names


def _steps(text: str) -> list[int]:
    try:
        steps = [int(step) for step in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list such as 2,4,8") from error
    if not all(1 <= step <= 255 for step in steps):
        raise argparse.ArgumentTypeError(f"steps lie in 1…255, not {text}")
    return steps
