"""Coverage-guided fuzzing of the reader with atheris (https://github.com/google/atheris).

    python -m pip install atheris
    mkdir corpus
    PYTHONPATH=.:tests python fuzz/fuzz_decode.py -max_len=65536 corpus/ fixtures/golden/

``corpus/`` is a new folder, which libFuzzer fills with inputs that reach new code.
Each input is taken as it is, and once more with the checksums of its packets mended, so that it gets past them.
The Python of the reader is instrumented; kernels are machine code, so run it once with NUMBA_BOUNDSCHECK=1 too.
An input that raises anything but a BitstreamError with its place stops the run and is written to ``crash-…``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["codec"]):
    from mutations import mended, outcome

PATH = Path(tempfile.mkdtemp()) / "input.mvz"


def one_input(data: bytes) -> None:
    """Read the input strictly, then with mended checksums, then as a damaged file."""
    for file, salvage in ((data, False), (mended(data), False), (mended(data), True)):
        PATH.write_bytes(file)
        outcome(PATH, [], salvage=salvage)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
