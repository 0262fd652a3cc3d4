"""``--print-completion``: the script by which a shell completes ``mvz``. The only module that imports shtab."""

from __future__ import annotations

import argparse
from typing import Any

from codec.cli.terminal import say
from codec.errors import ConfigError

SHELLS = "bash", "zsh"
FILES = {"A", "B", "DIR", "FILE", "FOLDER", "INPUT", "OTHER", "OUTPUT", "PAGE", "SOURCE"}
"""Words in help that stand for files."""


class PrintCompletion(argparse.Action):
    """Prints the script of a shell, and ends.

    Raises:
        ConfigError: there is no shtab.
    """

    def __call__(self, parser: argparse.ArgumentParser, *given: Any) -> None:
        """Print; ``given`` are namespace, shell, and the option's name."""
        try:
            import shtab
        except ImportError as error:
            raise ConfigError("--print-completion needs shtab: pip install 'mvz[completion]'") from error
        [commands] = (each.choices for each in parser._actions if isinstance(each, argparse._SubParsersAction))
        for action in (action for command in commands.values() for action in command._actions):
            if action.metavar in FILES:
                action.complete = shtab.FILE
        say(*shtab.complete(parser, given[1]).splitlines())
        parser.exit()
