"""Write the man page of ``mvz`` anew from its arguments: ``PYTHONPATH=. python docs/make_man.py``."""

from __future__ import annotations

import argparse
from pathlib import Path

from codec.cli.main import build_parser

PAGE = Path(__file__).parent / "mvz.1"


def escaped(text: str) -> str:
    """Text for roff: its own characters quoted, and a first dot that is no request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("\n", " ")
    return f"\\&{text}" if text[:1] in (".", "'") else text


def rows_of(parser: argparse.ArgumentParser) -> list[str]:
    """Each group of arguments as a heading, and each argument as a paragraph with a hanging tag."""
    lines, formatter = [], parser._get_formatter()
    for group in parser._action_groups:
        actions = [each for each in group._group_actions if not isinstance(each, argparse._SubParsersAction)]
        if actions and group.title not in ("options", "positional arguments"):
            lines += [".PP", f"\\fI{escaped(group.title or '')}\\fR: {escaped(group.description or '')}"]
        for action in actions:
            names = ", ".join(f"\\fB{escaped(name)}\\fR" for name in action.option_strings)
            value = f"\\fI{action.metavar}\\fR" if action.metavar and action.nargs != 0 else ""
            lines += [".TP", f"{names} {value}".strip(), escaped(formatter._expand_help(action))]
    return lines


def page() -> str:
    """The whole page."""
    parser = build_parser()
    (commands,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    lines = [
        f'.TH MVZ 1 "" "{parser.prog}" "User Commands"',
        *(".SH NAME", "mvz \\- " + escaped(f"{parser.description}")),
        *(".SH SYNOPSIS", ".B mvz", "\\fICOMMAND\\fR [\\fIarguments\\fR]"),
        *(".SH OPTIONS", *rows_of(parser), ".SH COMMANDS"),
    ]
    for name, command in commands.choices.items():
        lines += [f".SS mvz {name}", escaped(command.description), *rows_of(command)]
        more = command.epilog.partition("Exit codes:")[0].strip()
        lines += [".PP", escaped(more)] if more else []
    lines += [".SH EXIT STATUS", escaped(parser.epilog.partition("Exit codes: ")[2])]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
