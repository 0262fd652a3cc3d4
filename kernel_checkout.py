"""In a checkout, kernels are what the sources say: those that have changed are compiled before they are imported."""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.absolute()
SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
NUMBERS = ("tables", "models")  # modules whose plain numbers, and those of their enumerations, are constants of kernels


def kernel_modules() -> Iterator[Path]:
    """The files that are compiled: those with the line ``import cython``."""
    return (p for p in sorted((ROOT / "codec").rglob("*.py")) if b"import cython" in p.read_bytes().splitlines())


def digest_of_sources() -> str:
    """What all that makes kernels hashes to, or "" where there are none."""
    import hashlib  # late, as hardly any import of the package needs it

    kernels = list(kernel_modules())
    mixed = hashlib.sha256()
    patterns = ("*.h", "vectors.py", *(f"{name}.py" for name in NUMBERS))
    others = [path for pattern in patterns for path in sorted((ROOT / "codec").rglob(pattern))]
    for path in (*kernels, *others, ROOT / "kernel_build.py"):
        content = path.read_bytes()
        mixed.update(f"{path.relative_to(ROOT).as_posix()} {len(content)} ".encode() + content)
    return mixed.hexdigest() if kernels else ""


def record(level: str) -> Path:
    """The file that keeps the digest of the sources that a level was compiled from, for this Python."""
    return ROOT / "codec" / "_compiled" / level / f"sources{SUFFIX}.sha256"


def stamps_of_sources() -> str:
    """Size and time of all that may make kernels: while they stay, nothing has to be read, which takes 30 ms."""
    paths = [Path(folder, name) for folder, _, names in os.walk(ROOT / "codec") for name in names]
    found = [(path, path.stat()) for path in sorted(paths) if path.suffix in (".py", ".h")]
    found.append((ROOT, (ROOT / "kernel_build.py").stat()))
    return "\n".join(f"{path} {stat.st_mtime_ns} {stat.st_size}" for path, stat in found)


def is_fresh(level: str, digest: str) -> bool:
    """Whether a level was compiled, whole, from these sources."""
    return record(level).exists() and record(level).read_text("utf-8").partition("\n")[0] == digest


def keep(level: str, digest: str, stamps: str) -> None:
    """Note what a level was compiled from, and the stamps that were taken before that was read."""
    record(level).write_text(f"{digest}\n{stamps}", "utf-8")


def fresh_level(levels: Sequence[str]) -> str:
    """The first of some levels that is fresh; where none is, the first that was compiled before is compiled again.

    ``MVZ_BUILD=LEVEL`` asks for a certain one, such as ``bounds``. "" where kernels must run as Python.
    """
    levels = os.environ.get("MVZ_BUILD", "").split() or levels
    stamps = stamps_of_sources()
    for level in levels:
        if record(level).exists() and record(level).read_text("utf-8").partition("\n")[2] == stamps:
            return level
    digest = digest_of_sources()
    for level in levels:
        if not digest or is_fresh(level, digest):
            with contextlib.suppress(OSError):  # a checkout that others own
                keep(level, digest, stamps)
            return level if digest else ""
    level = next((level for level in levels if record(level).exists()), levels[0])
    why = "Cython and setuptools are not installed"
    if importlib.util.find_spec("Cython") and importlib.util.find_spec("setuptools"):
        import subprocess  # late, as hardly any import of the package needs it

        sys.stderr.write(f"mvz: kernels have changed, and are compiled ({level})\n")
        done = subprocess.run([sys.executable, ROOT / "kernel_build.py", level], capture_output=True, text=True)
        if done.returncode == 0:
            return level
        why = f"they do not compile\n{done.stdout}{done.stderr}"
    sys.stderr.write(f"mvz: kernels have changed and run as plain Python, some thousand times slower: {why}\n")
    return ""
