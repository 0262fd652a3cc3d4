"""Compile the kernels of ``codec``: ordinary Python modules whose annotations are C types.

A kernel module has the line ``import cython``. What Cython wants to know of it beside its annotations, and what other
kernel modules may use, is a ``.pxd`` file, which is made here from the same annotations: nobody writes it by hand.

- A class that is decorated with ``@cython.cclass`` becomes a C structure: annotated attributes are its fields.
- A function or method whose parameters and result all have C types becomes a C function that needs no interpreter lock.
  With ``@cython.exceptval(-1)`` it may raise, and only then returns −1, or with ``check=True`` perhaps also otherwise;
  without, it must not raise. With ``@cython.ccall`` Python may call it too.
- All other functions stay Python's.
- A module's ``NAME: cython.int = 3`` is a C number, of that module alone; where it can be told from the sources, also
  by way of another module's number (``tables.NAME``), a constant.
- Modules share classes: ``from codec.dct.planes import Plane``. Functions and numbers of C are a module's own.
- ``from math import sqrt`` is C's function, and so is ``from codec.vectors import …``: ``codec/vectors.h`` has what
  ``codec/vectors.py`` says in Python, for which its annotations are the declarations.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).parent
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
    "language_level": 3,
    "infer_types": True,
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "cdivision": True,
    "embedsignature": False,
    "auto_pickle": False,
}
FROM_C = {"math": "libc.math", "codec.vectors": "codec.vectors"}  # whose functions kernels call without Python
LEVELS = {"baseline": (), "v3": ("-march=x86-64-v3",)}
FLAGS = ("-O3", "-g0", "-fPIC", "-shared", "-ffp-contract=off", "-fno-strict-aliasing", "-w")


def kernel_modules(package: Path) -> Iterator[Path]:
    """The files that are compiled."""
    for path in sorted(package.rglob("*.py")):
        if re.search(r"^import cython$", path.read_text("utf-8"), re.MULTILINE):
            yield path


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
    found = re.fullmatch(r"cython\.(?:(const)\[cython\.)?(\w+)(?(1)\])(\[.*\])?", text)
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


def numbers_of(source: str) -> dict[str, int]:
    """The whole numbers that a module names at its top, as far as they can be told without running it."""
    modules: dict[str, SimpleNamespace] = {}
    numbers: dict[str, int] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("codec"):
            for alias in node.names:
                file = ROOT.joinpath(*f"{node.module}.{alias.name}".split(".")).with_suffix(".py")
                if file.exists():
                    modules[alias.asname or alias.name] = SimpleNamespace(**numbers_of(file.read_text("utf-8")))
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            try:
                value = eval(ast.unparse(node.value), {"__builtins__": {}, **modules}, numbers)
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
    lines, numbers = source.splitlines(keepends=True), numbers_of(source)
    for node in ast.parse(source).body:
        is_from_c = isinstance(node, ast.ImportFrom) and node.module in FROM_C
        if is_from_c or constant_of(node, numbers):
            lines[node.lineno - 1 : node.end_lineno] = ["\n"] * ((node.end_lineno or node.lineno) - node.lineno + 1)
    return "".join(lines)


def write_if_other(path: Path, text: str) -> bool:
    """Write a file that has to be rewritten; returns whether it had."""
    if path.exists() and path.read_text("utf-8") == text:
        return False
    path.write_text(text, "utf-8")
    return True


def build(levels: Iterable[str]) -> None:
    """Compile what has changed, in place: ``codec/_compiled/LEVEL/``."""
    from Cython.Compiler.Main import CompilationOptions
    from Cython.Compiler.Main import compile as cython_compile

    work = ROOT / "build" / "kernels"
    modules = list(kernel_modules(ROOT / "codec"))
    known = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): compiled_classes(path.read_text("utf-8"))
        for path in modules
    }
    for path in ROOT.joinpath("codec").rglob("__init__.py"):
        there = work / path.relative_to(ROOT)
        there.parent.mkdir(parents=True, exist_ok=True)
        there.touch()
    vectors = ROOT / "codec" / "vectors.h"
    twin = vectors.with_suffix(".py").read_text("utf-8")
    changed = write_if_other(work / "codec" / "vectors.pxd", vector_declarations(twin))
    for path in modules:
        target = (work / path.relative_to(ROOT)).with_suffix(".pxd")
        changed |= write_if_other(target, declarations(path.read_text("utf-8"), known))
    todo = []
    for path in modules:
        copy = work / path.relative_to(ROOT)
        c_file = copy.with_suffix(".c")
        if changed or not c_file.exists() or c_file.stat().st_mtime < path.stat().st_mtime:
            copy.write_text(source_for_cython(path.read_text("utf-8")), "utf-8")
            options = CompilationOptions(
                compiler_directives=DIRECTIVES, include_path=[str(work)], output_file=str(c_file), language_level=3
            )
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            result = cython_compile(str(copy), options, full_module_name=name)
            if result.num_errors:
                raise SystemExit(f"{path}: Cython found {result.num_errors} errors")
        for level in levels:
            target = ROOT / "codec" / "_compiled" / level / path.relative_to(ROOT / "codec")
            so = target.with_name(path.stem + sysconfig.get_config_var("EXT_SUFFIX"))
            if not so.exists() or so.stat().st_mtime < max(c_file.stat().st_mtime, vectors.stat().st_mtime):
                so.parent.mkdir(parents=True, exist_ok=True)
                include = sysconfig.get_path("include")
                todo.append(
                    ["cc", *FLAGS, *LEVELS[level], f"-I{include}", f"-I{ROOT / 'codec'}", str(c_file), "-o", str(so)]
                )
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for command, done in zip(todo, pool.map(lambda c: subprocess.run(c, capture_output=True, text=True), todo)):
            print(" ".join(command[-3:]), done.stderr, file=sys.stderr)
            if done.returncode:
                raise SystemExit(1)


if __name__ == "__main__":
    build(sys.argv[1:] or LEVELS)
