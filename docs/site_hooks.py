"""What mkdocs calls: the repository's address, which pyproject.toml alone has."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Link the repository at the foot of every page; as ``repo_url`` pages would ask its server for stars."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    config.extra["social"] = [{"icon": "fontawesome/brands/git-alt", "link": project["urls"]["Repository"]}]
    return config
