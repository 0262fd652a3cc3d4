"""The ``mvz`` command: ``python -m mvz``."""

from __future__ import annotations

from codec.__main__ import main

if __name__ == "__main__":
    main()
