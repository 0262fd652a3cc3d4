"""``mvz play``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import webbrowser
from pathlib import Path

from codec.cli.inspect import write_page
from codec.cli.terminal import say, say_aside


def main(options: argparse.Namespace) -> int:
    """Write the page into a temporary folder, and open it, or say where it is."""
    page = Path(tempfile.mkdtemp(prefix="mvz-play-")) / f"{Path(options.file).stem}.html"
    try:
        _, *notes = write_page(options, str(page))
    except BaseException:
        page.parent.rmdir()
        raise
    has_display = sys.platform in ("win32", "darwin") or {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} & set(os.environ)
    if not (has_display and webbrowser.open(f"{page.as_uri()}#play")):
        say(str(page))
    elif not options.quiet:
        say_aside(f"{page}: opened in a browser")
    if not options.quiet:
        say_aside(*notes)
    return 0
