"""Compile the kernels of ``codec``: ordinary Python modules whose annotations are C types.

``python kernel_build.py [LEVEL…]`` compiles what has changed, in place: ``codec/_compiled/LEVEL/``.
`build_backend.py` puts the same into wheels, and `kernel_checkout.py` sees what has changed.

A kernel module has the line ``import cython``, below ``from __future__ import annotations``. What Cython and other
kernel modules want to know of it is a ``.pxd`` file, which is made here from its annotations: nobody writes it by hand.

- A class that is decorated with ``@cython.cclass`` becomes a C structure: annotated attributes are its fields.
- A function or method whose parameters and result all have C types becomes a C function that needs no interpreter lock.
  With ``@cython.exceptval(-1)`` it may raise, and only then returns −1, or with ``check=True`` perhaps also otherwise;
  without, it must not raise. With ``@cython.ccall`` Python may call it too.
- All other functions stay Python's.
- A module's ``NAME: cython.int = 3`` is a C number, of that module alone; where it can be told from the sources, a
  constant. So are plain whole numbers of a module of tables, and of an enumeration: ``tables.SPLIT``,
  ``BlockKind.INTRA``, but for what ``is`` compares.
- Modules share classes: ``from codec.dct.planes import Plane``. Functions and numbers of C are a module's own.
- What ``codec.depths`` names is one type or another: a module that imports it is compiled for 8 bits a sample and, as
  ``NAME_16``, for more, with those of the modules that it imports.
- ``from math import sqrt`` is C's function, and so is ``from codec.vectors import …``: ``codec/vectors.h`` has what
  ``codec/vectors.py`` says in Python, for which its annotations are the declarations.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import hashlib
import os
import platform
import re
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from setuptools import Distribution, Extension
from setuptools._distutils.ccompiler import new_compiler
from setuptools.command.build_ext import build_ext

import kernel_checkout
from kernel_checkout import NUMBERS, ROOT, SUFFIX

WHEEL = "build/wheel"  # what setuptools writes on its way to a wheel, below the checkout
CTYPES = {
    "uchar": "unsigned char",
    "schar": "signed char",
    "ushort": "unsigned short",
    "uint": "unsigned int",
    "ulong": "unsigned long",
    "longlong": "long long",
    "ulonglong": "unsigned long long",
    "p_char": "char*",
}
DIRECTIVES = {
    "infer_types": True,
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "cdivision": True,
    "embedsignature": False,
    "auto_pickle": False,
}
IS_X86 = platform.machine().lower() in ("x86_64", "amd64")
# These come after Python's own, whose wrapping integers (-fwrapv, -fno-strict-overflow) double the time of decoding
# dct. Without -ffp-contract=off an encoder's floats, and so its bytes, would depend on the compiler.
FLAGS = ("-O3", "-g0", "-fno-wrapv", "-fstrict-overflow", "-ffp-contract=off", "-fno-strict-aliasing", "-w")
CHECKS = ("-O1", "-g1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined")
LEVELS: dict[str, tuple[str, ...]] = {
    "baseline": ("-march=x86-64",) if IS_X86 else (),  # said, as zig compiles for the machine at hand
    "v3": ("-march=x86-64-v3",),
    "bounds": ("-O1",),  # here an index that is out of bounds is an IndexError
    "sanitize": (*CHECKS, "-fno-sanitize-recover=all"),
    "aarch64": ("-target", "aarch64-linux-gnu"),  # with CC="python -m ziglang cc": does it compile there?
}
MSVC_FLAGS = {"v3": ("/arch:AVX2",)}
SHARED = Path("codec", "_shared.py")  # what Cython would else write into every module; 6 of 7 parts of a small one
DEPENDS_ON_DEPTH = re.compile(r"^from codec\.depths import .*$", re.MULTILINE)
# Whose functions kernels call without Python
FROM_C = {"math": "libc.math", "codec.vectors": "codec.vectors", "codec.vectors_16": "codec.vectors_16"}
DEEP = "_16"  # of a module that is compiled for samples of more than 8 bits
DEPTHS = {  # what names of ``codec.depths`` stand for
    "": {
        "Sample": "uchar",
        "Tapped": "uchar",
        "Difference": "short",
        "Energy": "int",
        "Input": "short",
        "SAMPLE_BITS": "8",
    },
    DEEP: {
        "Sample": "ushort",
        "Tapped": "short",
        "Difference": "int",
        "Energy": "longlong",
        "Input": "float",
        "SAMPLE_BITS": "16",
    },
}


def levels_to_build() -> list[str]:
    """What ``MVZ_BUILD`` names (``none`` for no level), or what this kind of machine may use."""
    asked = os.environ.get("MVZ_BUILD", "").split()
    if wrong := set(asked) - set(LEVELS) - {"none"}:
        raise SystemExit(f"MVZ_BUILD={' '.join(asked)}: {' '.join(wrong)} is none of none, {', '.join(LEVELS)}")
    return [level for level in asked if level != "none"] if asked else ["v3", "baseline"] if IS_X86 else ["baseline"]


def find_compiler() -> str | None:
    """The command of a C compiler: the system's, or that of the package ``ziglang``; None where neither is here.

    "" stands for Microsoft's, which setuptools finds by itself.
    """
    if sys.platform == "win32":
        with contextlib.suppress(Exception):
            new_compiler().initialize()
            return ""
    zig = shlex.join([sys.executable, "-m", "ziglang", "cc"])
    for command in (os.environ.get("CC"), sysconfig.get_config_var("CC"), "cc", "gcc", "clang", zig):
        with contextlib.suppress(OSError):
            test = [*shlex.split(command or ""), "-E", "-x", "c", "-"]
            if command and not subprocess.run(test, input=b"#include <stdlib.h>", capture_output=True).returncode:
                return command
    return None


def work_folder(level: str) -> Path:
    """Where the C files of a level lie, below the checkout."""
    return Path("build", "kernels", "bounds" if level == "bounds" else "plain")


def extensions(levels: Iterable[str]) -> list[Extension]:
    """Every kernel for every level, as setuptools knows extensions."""
    modules = [*kernel_sources(), SHARED]
    headers = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "codec").rglob("*.h"))]
    return [
        Extension(
            ".".join(("codec", "_compiled", level, *path.with_suffix("").parts[1:])),
            [str(work_folder(level) / path.with_suffix(".c"))],
            include_dirs=["codec"],
            depends=[*headers, "kernel_build.py"],
            define_macros=[("SAMPLE_BITS", "16")] if path.stem.endswith(DEEP) else [],
        )
        for level in levels
        for path in modules
    ]


class BuildKernels(build_ext):
    """Setuptools' command that compiles extensions, in parallel and after Cython."""

    def finalize_options(self) -> None:
        """Use every core, and the compiler that there is."""
        super().finalize_options()
        self.parallel = os.cpu_count()
        if sys.platform == "darwin":  # where Python may be for two processors, whose flags differ
            os.environ.setdefault("ARCHFLAGS", f"-arch {platform.machine()}")
        if command := find_compiler():
            os.environ["CC"] = command
            if sys.platform == "win32":
                self.compiler = "mingw32"  # whose options zig takes

    def build_extensions(self) -> None:
        """Write the C files, then compile."""
        for folder in sorted({work_folder(extension.name.split(".")[2]) for extension in self.extensions}):
            translate(folder)
        super().build_extensions()

    def build_extension(self, extension: Extension) -> None:
        """Compile one module for one level, whose objects lie apart from those of other levels."""
        level = extension.name.split(".")[2]
        own = copy.copy(self)
        own.build_temp = str(Path(self.build_temp, level))
        if self.compiler.compiler_type == "msvc":
            extension.extra_compile_args = ["/O2", "/w", *MSVC_FLAGS.get(level, ())]
        else:
            flags = LEVELS[level]
            if "ziglang" in os.environ.get("CC", ""):  # which writes x86_64_v3
                flags = tuple(flag.replace("x86-64", "x86_64").replace("64-v", "64_v") for flag in flags)
            extension.extra_compile_args, extension.extra_link_args = [*FLAGS, *flags], [*flags]
        build_ext.build_extension(own, extension)


def translate(work: Path) -> None:
    """Let Cython write the C files of kernels whose source has changed, or any module's declarations."""
    checks = {"boundscheck": True, "initializedcheck": True, "show_performance_hints": False}
    checks = checks if work.name == "bounds" else {}
    directives = [f"{name}={value}" for name, value in (DIRECTIVES | checks).items()]
    sources = kernel_sources()
    known = {module_name(path): compiled_classes(source) for path, source in sources.items()}
    files = {work / path: source_for_cython(source) for path, source in sources.items()}
    files |= {work / path.with_suffix(".pxd"): declarations(source, known) for path, source in sources.items()}
    if (vectors := ROOT / "codec" / "vectors.py").exists():
        for suffix, source in by_depth(vectors.read_text("utf-8"), ()).items():
            files[work / "codec" / f"vectors{suffix}.pxd"] = vector_declarations(source)
    files |= {work / folder / "__init__.py": "" for path in sources for folder in path.parents if folder.name}
    for file in [file for file in work.rglob("*.p*") if file not in files]:
        file.unlink()  # of a module that is no more
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    shared = "".join(text for file, text in sorted(files.items()) if file.suffix == ".pxd")

    def write_c(path: Path) -> str:
        """What Cython says of a module, now or when it last wrote its C file."""
        c_file, said = work / path.with_suffix(".c"), work / path.with_suffix(".said")
        stamp = hashlib.sha256("\0".join((shared, files.get(work / path, ""), *directives)).encode()).hexdigest()
        if c_file.exists() and said.exists() and said.read_text("utf-8").startswith(stamp):
            return said.read_text("utf-8").partition("\n")[2]
        new = c_file.with_suffix(".new.c")
        command = [sys.executable, "-m", "cython", "-3", "-I", ".", "-X", ",".join(directives)]
        command += ["--module-name", module_name(path)]
        if path == SHARED:
            command += ["--generate-shared", str(path.with_suffix(".new.c"))]
        else:
            command += ["--shared", module_name(SHARED), "-o", str(path.with_suffix(".new.c")), str(path)]
        done = subprocess.run(command, cwd=work, capture_output=True, text=True)  # so tracebacks say codec/…
        messages = done.stdout + done.stderr
        if done.returncode:
            raise SystemExit(messages)
        if not c_file.exists() or c_file.read_bytes() != new.read_bytes():  # C that is the same is not compiled again
            new.replace(c_file)
        new.unlink(missing_ok=True)
        said.write_text(f"{stamp}\n{messages}", "utf-8")
        return messages

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sys.stderr.write("".join(pool.map(write_c, [*sources, SHARED])))


def kernel_sources() -> dict[Path, str]:
    """The source of each kernel, by its file below the checkout; of some two, one of them for more than 8 bits."""
    sources = {path.relative_to(ROOT): path.read_text("utf-8") for path in kernel_checkout.kernel_modules()}
    both = [module_name(path) for path, source in sources.items() if DEPENDS_ON_DEPTH.search(source)]
    return {
        path.with_stem(path.stem + suffix): text
        for path, source in sources.items()
        for suffix, text in by_depth(source, [*both, "codec.vectors"]).items()
    }


def by_depth(source: str, both: Sequence[str]) -> dict[str, str]:
    """A source as it is compiled, by the suffix of its module; ``both`` are the modules that are compiled twice."""
    if not DEPENDS_ON_DEPTH.search(source):
        return {"": source}
    sources = {}
    for suffix, names in DEPTHS.items():
        text = DEPENDS_ON_DEPTH.sub("", source)  # in one line
        for name, meaning in names.items():
            text = re.sub(rf"\b{name}\b", meaning if meaning.isdigit() else f"cython.{meaning}", text)
        sources[suffix] = re.sub(
            rf"^from ({'|'.join(map(re.escape, both))}) import", rf"from \1{suffix} import", text, flags=re.M
        )
    return sources


def module_name(path: Path) -> str:
    """The dotted name of a file below the checkout."""
    return ".".join(path.with_suffix("").parts)


def c_type(annotation: ast.expr | None, classes: set[str]) -> str | None:
    """A C type as ``.pxd`` files write it, or None where Python's objects are meant."""
    if annotation is None:
        return None
    text = ast.unparse(annotation)
    if text in classes:
        return text
    if text.startswith("tuple[") and isinstance(annotation, ast.Subscript):
        parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        types = [c_type(part, classes) for part in parts]
        return None if None in types else f"({', '.join(filter(None, types))})"
    found = re.fullmatch(r"cython\.(const\[cython\.)?(\w+)(\[[:, 1]*\])?(?(1)\])", text)
    if not found:
        return None
    const, name, view = found.groups()
    return f"{'const ' if const else ''}{CTYPES.get(name, name)}{view or ''}"


def signature(function: ast.FunctionDef, classes: set[str], is_method: bool) -> str | None:
    """The C declaration of a function, or None where it is Python's."""
    arguments = function.args.args[1:] if is_method else function.args.args
    types = [c_type(argument.arg and argument.annotation, classes) for argument in arguments]
    result = c_type(function.returns, classes)
    if result is None or None in types or function.args.kwonlyargs or function.args.vararg:
        return None
    decorators = {ast.unparse(decorator) for decorator in function.decorator_list}
    found = [re.match(r"cython\.exceptval\((-?\w+)(, check=True)?", text) for text in decorators]
    exceptions = [f"{'? ' if match[2] else ' '}{match[1]}" for match in found if match]
    given = [f"{type_} {argument.arg}" for type_, argument in zip(types, arguments, strict=True)]
    kind = "cpdef" if "cython.ccall" in decorators else "cdef"
    inline = "inline " if "cython.inline" in decorators and kind == "cdef" else ""
    fails = f"except{exceptions[0]}" if exceptions else "noexcept"
    return f"{kind} {inline}{result} {function.name}({', '.join(['self'] * is_method + given)}) {fails} nogil"


def compiled_classes(source: str) -> set[str]:
    """Names of the classes of a module that become C structures."""
    return {
        node.name
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(decorator) == "cython.cclass" for decorator in node.decorator_list)
    }


def declarations(source: str, known: dict[str, set[str]]) -> str:
    """The ``.pxd`` file of a module; ``known`` are the compiled classes of all kernel modules."""
    tree = ast.parse(source)
    lines = ["cimport cython"]
    classes, numbers = compiled_classes(source), numbers_of(source)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module in FROM_C:
            lines.append(f"from {FROM_C[node.module]} cimport {', '.join(name.name for name in node.names)}")
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            if names := sorted(known[node.module] & {name.name for name in node.names}):
                classes |= set(names)
                lines.append(f"from {node.module} cimport {', '.join(names)}")
        elif name := constant_of(node, numbers):
            lines += ["cdef enum:", f"    {name} = {numbers[name]}"]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            if type_ := c_type(node.annotation, classes):
                lines.append(f"cdef {type_} {node.target.id}")
        elif isinstance(node, ast.FunctionDef):
            if line := signature(node, classes, False):
                lines.append(line)
        elif isinstance(node, ast.ClassDef) and node.name in classes:
            lines += ["@cython.final", f"cdef class {node.name}:"]
            body = []
            for member in node.body:
                if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
                    body.append(f"cdef {c_type(member.annotation, classes) or 'object'} {member.target.id}")
                elif isinstance(member, ast.FunctionDef) and (line := signature(member, classes, True)):
                    body.append(line)
            lines += [f"    {line}" for line in body or ["pass"]]
    return "\n".join(lines) + "\n"


def vector_declarations(source: str) -> str:
    """The ``.pxd`` file of ``codec/vectors.h``, from the functions and numbers that say the same in Python."""
    lines = ['cdef extern from "vectors.h" nogil:']
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and (line := signature(node, set(), False)):
            lines.append(f"    {line.removeprefix('cdef ').removesuffix(' nogil')}")
        elif isinstance(node, ast.AnnAssign) and (type_ := c_type(node.annotation, set())):
            lines.append(f"    {type_} {ast.unparse(node.target)}")
    return "\n".join(lines) + "\n"


def named_numbers(tree: ast.Module) -> dict[str, SimpleNamespace]:
    """What a module imports from those in `NUMBERS`: modules and enumerations, each with its plain whole numbers."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("codec"):
            here = ROOT.joinpath(*(node.module or "").split("."))
            for name, known_as in [(alias.name, alias.asname or alias.name) for alias in node.names]:
                file = (here / name).with_suffix(".py")
                if name in NUMBERS and file.exists():
                    found[known_as] = SimpleNamespace(**numbers_of(file.read_text("utf-8")))
                elif here.name in NUMBERS:
                    body = ast.parse(here.with_suffix(".py").read_text("utf-8")).body
                    for part in body:
                        if isinstance(part, ast.ClassDef) and part.name == name:
                            found[known_as] = SimpleNamespace(**numbers_in(part.body, {}))
    return found


def numbers_of(source: str) -> dict[str, int]:
    """The whole numbers that a module names at its top, also by way of `named_numbers`, as far as plain."""
    tree = ast.parse(source)
    return numbers_in(tree.body, named_numbers(tree))


def numbers_in(body: Iterable[ast.stmt], known: dict[str, SimpleNamespace]) -> dict[str, int]:
    """The whole numbers that statements give names to."""
    numbers: dict[str, int] = {}
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            try:
                value = eval(ast.unparse(node.value), {"__builtins__": {}, **known}, numbers)
            except (NameError, AttributeError, TypeError, ValueError):
                continue
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            values = list(value) if isinstance(target, ast.Tuple) and isinstance(value, tuple) else [value]
            for name, number in zip(names, values, strict=False):
                if isinstance(name, ast.Name) and type(number) is int:
                    numbers[name.id] = number
    return numbers


def constant_of(node: ast.stmt, numbers: dict[str, int]) -> str | None:
    """The name that a statement gives to a constant of C, or None."""
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        is_whole = ast.unparse(node.annotation) in ("cython.int", "cython.Py_ssize_t", "cython.longlong")
        return node.target.id if is_whole and node.target.id in numbers else None
    return None


def source_for_cython(source: str) -> str:
    """A module's source without what its ``.pxd`` file has: functions of `FROM_C`, constants. Lines stay in place."""
    tree = ast.parse(source)
    lines, numbers, known = source.splitlines(keepends=True), numbers_of(source), named_numbers(tree)
    compared = [node for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    objects = [part for node in compared if isinstance(node.ops[0], ast.Is | ast.IsNot) for part in node.comparators]
    used = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node not in objects]
    for node in sorted(used, key=lambda node: node.col_offset, reverse=True):
        name = ast.unparse(node)
        number = getattr(known.get(name.partition(".")[0]), node.attr, None)
        line = lines[node.lineno - 1].encode()
        if number is not None and line[node.col_offset : node.end_col_offset] == name.encode():
            lines[node.lineno - 1] = (line[: node.col_offset] + b"%d" % number + line[node.end_col_offset :]).decode()
    for node in tree.body:
        is_from_c = isinstance(node, ast.ImportFrom) and node.module in FROM_C
        if is_from_c or constant_of(node, numbers):
            lines[node.lineno - 1 : node.end_lineno] = ["\n"] * ((node.end_lineno or node.lineno) - node.lineno + 1)
    # as Cython wants it; mypy takes the other
    return re.sub(r"cython\.const\[(cython\.\w+)(\[[:, 1]*\])\]", r"cython.const[\1]\2", "".join(lines))


def build_in_place(levels: Sequence[str]) -> None:
    """Compile what has changed, and take away what belongs to no kernel that there is."""
    os.chdir(ROOT)
    compiled = ROOT / "codec" / "_compiled"
    with alone():
        stamps, digest = kernel_checkout.stamps_of_sources(), kernel_checkout.digest_of_sources()
        for level in levels:
            if not kernel_checkout.is_fresh(level, digest):
                kernel_checkout.record(level).unlink(missing_ok=True)
        command: Any = BuildKernels(Distribution({"ext_modules": extensions(levels)}))
        command.build_lib, command.build_temp = str(ROOT), str(Path("build", "objects" + SUFFIX))
        command.ensure_finalized()
        command.run()
        made = {Path(command.get_ext_fullpath(extension.name)) for extension in command.extensions or ()}
        for file in set(compiled.rglob(f"*{SUFFIX}*")) - made:
            level = file.relative_to(compiled).parts[0]
            if level in levels or not kernel_checkout.is_fresh(level, digest):
                file.unlink(missing_ok=True)
        for level in levels if digest else ():
            kernel_checkout.keep(level, digest, stamps)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let one process at a time build, where the system can tell."""
    lock = ROOT / "build" / "kernels" / "lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        with contextlib.suppress(ImportError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    build_in_place(sys.argv[1:] or levels_to_build())
