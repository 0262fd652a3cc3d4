"""Showing: plots and pages.

Raises:
    ConfigError: at import, where what draws and fills in pages is not installed.
"""

from importlib.util import find_spec

from codec.errors import ConfigError

if not (find_spec("matplotlib") and find_spec("jinja2")):
    raise ConfigError("plots and pages need matplotlib and Jinja2: pip install 'mvz[report]'")
