"""Would the golden files notice if a decoder had one of the format's rules wrong?

Every number, comparison, sum, bound and condition in the decoder's sources (docs/reading.md lists them) is changed, one
at a time, and the golden files are decoded by the changed code, uncompiled. A change after which all pictures still
come out right is a survivor: either no valid file can tell the difference, or a golden file is missing::

    PYTHONPATH=. python tests/decoder_mutations.py [--module "dct/*"] [--sample 300] [--seed 0] [--jobs 2]

Left out is what is no rule of the format: conditions that only refuse a damaged file, for which there are
`tests/mutations.py` and test_hostile.py; how much room is made; what only remembers how a picture came to be; names
that a type checker sees; and functions that no golden file runs, which encoders and drawings call.

A survivor whose line a valid file cannot notice (a bound where both sides are the same number, a threshold between the
values that are possible) says nothing; of format 0.10, with 107 golden files, those were 159 of 2760, and no others.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import fnmatch
import hashlib
import importlib
import importlib.abc
import importlib.util
import json
import os
import re
import signal
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import CodeType

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "fixtures" / "golden"
MANIFEST = json.loads((ROOT / "fixtures" / "manifest.json").read_text("utf-8"))
LISTED = re.compile(r"^\| `codec/([\w/]+)\.py` \| \d+ \|", re.MULTILINE)
SECONDS = 15  # for a golden file; more is a loop without end
NO_RULES = {"traced", "only_reads", "quarter_rows", "TYPE_CHECKING"}  # what only these conditions let run is left out
KINDS = ("noticed", "survived", "never run", "left out")
ROOM = {"zeros", "empty"}  # calls of these are left out
SWAPPED = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


@dataclass(frozen=True)
class Mutation:
    """One change: the ``number``th place of a module that can be changed, in its ``variant``th way."""

    module: str
    number: int
    variant: int
    line: int
    text: str
    function: tuple[str, int, int]

    @property
    def runs_at_import(self) -> bool:
        """Whether no function is around it."""
        return not self.function[0]


class Sites(ast.NodeTransformer):
    """Walks all places of a module that can be changed, and changes one of them."""

    def __init__(self, module: str, wanted: tuple[int, int] | None = None) -> None:
        self.module, self.wanted = module, wanted
        self.count = 0
        self.found: list[Mutation] = []
        self.functions: list[ast.FunctionDef] = []  # around the place

    def function(self) -> tuple[str, int, int]:
        """Name, first and last line of the innermost function around the place; of none, no lines."""
        if not self.functions:
            return "", 0, 0
        inner = self.functions[-1]
        return inner.name, inner.body[0].lineno, inner.body[-1].end_lineno or 0

    def offer(self, node: ast.AST, variants: list[tuple[str, ast.AST]]) -> ast.AST:
        """Note the ways in which a node can be changed; returns the node, changed if it is the wanted one."""
        number, self.count = self.count, self.count + 1
        for variant, (text, changed) in enumerate(variants):
            self.found.append(Mutation(self.module, number, variant, node.lineno, text, self.function()))
            if (number, variant) == self.wanted:
                return ast.copy_location(changed, node)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if type(node.value) is bool:
            return self.offer(node, [(f"{node.value} → {not node.value}", ast.Constant(not node.value))])
        if type(node.value) is not int:
            return node
        return self.offer(node, [(f"{node.value} → {node.value + 1}", ast.Constant(node.value + 1))])

    def with_operator(self, node: ast.AST, kind: type[ast.AST], name: str, place: int | None = None) -> ast.AST:
        """A copy of a node with another operator."""
        changed = copy.deepcopy(node)
        if place is None:
            setattr(changed, name, kind())
        else:
            getattr(changed, name)[place] = kind()
        return changed

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        kind = SWAPPED.get(type(node.op))
        if kind is None:
            return node
        changed = self.with_operator(node, kind, "op")
        return self.offer(node, [(f"{ast.unparse(node)} → {ast.unparse(changed)}", changed)])

    visit_AugAssign = visit_BoolOp = visit_BinOp  # noqa: N815  named as `ast` asks

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        kinds = [(place, SWAPPED.get(type(operator))) for place, operator in enumerate(node.ops)]
        changed = [self.with_operator(node, kind, "ops", place) for place, kind in kinds if kind is not None]
        return self.offer(node, [(f"{ast.unparse(node)} → {ast.unparse(other)}", other) for other in changed])

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if getattr(node.func, "id", None) in ROOM or getattr(node.func, "attr", None) in ROOM:
            return node
        self.generic_visit(node)
        if not (isinstance(node.func, ast.Name) and node.func.id in ("min", "max")):
            return node
        other = copy.deepcopy(node)
        other.func = ast.Name("min" if node.func.id == "max" else "max", ast.Load())
        return self.offer(node, [(f"{ast.unparse(node)} → {ast.unparse(other)}", other)])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Not | ast.USub) or isinstance(node.operand, ast.Constant):
            return node
        return self.offer(node, [(f"{ast.unparse(node)} → {ast.unparse(node.operand)}", copy.deepcopy(node.operand))])

    def visit_If(self, node: ast.If) -> ast.AST:
        if only_refuses(node.body) or NO_RULES & {
            getattr(part, "attr", getattr(part, "id", "")) for part in ast.walk(node.test)
        }:
            node.orelse = [self.visit(part) for part in node.orelse]
            return node
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.functions.append(node)
        node.body = [self.visit(part) for part in node.body if not is_text(part)] or [ast.Pass()]
        self.functions.pop()
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.body = [self.visit(part) for part in node.body if not is_text(part)] or [ast.Pass()]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        says_nothing = isinstance(node.value, ast.Constant) and node.value.value == 0 and self.functions
        if says_nothing and any("exceptval" in ast.unparse(part) for part in self.functions[-1].decorator_list):
            return node
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return node

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        return node


def is_text(node: ast.AST) -> bool:
    """Whether a statement is a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def only_refuses(body: list[ast.stmt]) -> bool:
    """Whether statements do nothing but refuse a file."""
    last = body[-1]
    refuses = isinstance(last, ast.Raise) or (isinstance(last, ast.Return) and "malformed" in ast.unparse(last))
    return refuses and all(isinstance(part, ast.Assign) for part in body[:-1])


def source_of(module: str) -> str:
    """The text of a module."""
    return (ROOT / "codec" / f"{module}.py").read_text("utf-8")


def mutations_of(module: str) -> list[Mutation]:
    """All changes of a module."""
    sites = Sites(module)
    sites.visit(ast.parse(source_of(module)))
    return sites.found


class Loader(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module in its changed form."""

    def __init__(self, mutation: Mutation) -> None:
        self.mutation = mutation
        self.name = f"codec.{mutation.module.replace('/', '.')}"

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name == self.name else None

    def exec_module(self, module) -> None:
        tree = ast.parse(source_of(self.mutation.module))
        sites = Sites(self.mutation.module, (self.mutation.number, self.mutation.variant))
        tree = ast.fix_missing_locations(sites.visit(tree))
        exec(compile(tree, str(ROOT / "codec" / f"{self.mutation.module}.py"), "exec"), module.__dict__)


def is_right(name: str) -> bool:
    """Whether a golden file decodes to the samples of the manifest."""
    import codec

    with codec.open(GOLDEN / name) as video:
        hashes = [
            hashlib.sha256(b"".join(plane.tobytes() for plane in picture.planes)).hexdigest()
            for picture in video.pictures()
        ]
    return hashes == MANIFEST[name]["sha256"]


def in_child(work) -> bytes:
    """What ``work`` returns in a process of its own; nothing if it ends otherwise."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with contextlib.suppress(BaseException), Path(os.devnull).open("w") as nothing:
            os.dup2(nothing.fileno(), 2)
            os.write(writing, work())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        result = pipe.read()
    os.waitpid(child, 0)
    return result


def first_wrong(mutation: Mutation, files: list[str]) -> str | None:
    """The first file that does not decode as it should after a change; None if there is none."""

    def work() -> bytes:
        sys.meta_path.insert(0, Loader(mutation))
        for name in files:
            signal.alarm(SECONDS)
            os.write(progress, b".")
            with contextlib.suppress(Exception):
                if is_right(name):
                    continue
            return b"wrong"
        return b"right"

    seen, progress = os.pipe()
    result = in_child(work)
    os.close(progress)
    with os.fdopen(seen, "rb") as pipe:
        tried = len(pipe.read())
    return None if result == b"right" else files[max(tried, 1) - 1]


def lines_of(name: str) -> dict[str, set[int]]:
    """The lines of each module that decoding a golden file runs."""

    def work() -> bytes:
        lines: dict[str, set[int]] = {}
        prefix = str(ROOT / "codec") + "/"
        left: dict[CodeType, set[int]] = {}  # lines of a function that have not run yet; without any it is not watched

        def trace(frame, event, _):
            code = frame.f_code
            if not code.co_filename.startswith(prefix):
                return None
            if code not in left:
                left[code] = {line for _, _, line in code.co_lines() if line is not None}
            if not left[code]:
                frame.f_trace_lines = False
                return None
            left[code].discard(frame.f_lineno)
            lines.setdefault(code.co_filename[len(prefix) : -3], set()).add(frame.f_lineno)
            return trace

        sys.settrace(trace)
        threading.settrace(trace)
        assert is_right(name)
        sys.settrace(None)
        return json.dumps({module: sorted(numbers) for module, numbers in lines.items()}).encode()

    return {module: set(numbers) for module, numbers in json.loads(in_child(work)).items()}


def chosen(options: argparse.Namespace) -> list[Mutation]:
    """The changes to try."""
    listed = LISTED.findall((ROOT / "docs" / "reading.md").read_text("utf-8"))
    modules = [name for name in listed if name != "bitstream/schema"]
    every = [m for name in modules if fnmatch.fnmatch(name, options.module) for m in mutations_of(name)]
    drawn = Random(options.seed).sample(every, min(options.sample or len(every), len(every)))
    return sorted(drawn, key=lambda m: (m.module, m.number, m.variant))


def main() -> None:
    """Try changes, and print those that survive and a tally."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", default="*", help="names of modules, as a pattern (default: all)")
    parser.add_argument("--sample", type=int, help="how many changes, drawn at random (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="at once (default %(default)s)")
    options = parser.parse_args()
    names = sorted(MANIFEST)
    sizes = {name: (GOLDEN / name).stat().st_size for name in names}
    caught = dict.fromkeys(names, 0)  # changes that each file noticed: those that notice most come first
    unused: set[str] = set()
    mutations = chosen(options)
    tally: Counter[tuple[str, str]] = Counter()
    with ThreadPoolExecutor(options.jobs) as pool:
        covered = dict(zip(names, pool.map(lines_of, names), strict=True))

        def outcome(mutation: Mutation) -> str:
            ran = {name: covered[name].get(mutation.module, set()) for name in names}
            function, first, end = mutation.function
            if function and not any(first <= line <= end for lines in ran.values() for line in lines):
                unused.add(f"codec/{mutation.module}.py: {function}")
                return "left out"
            files = [name for name in names if mutation.runs_at_import or mutation.line in ran[name]]
            if not files:
                return "never run"
            wrong = first_wrong(mutation, sorted(files, key=lambda name: (-caught[name], sizes[name])))
            if wrong is None:
                return "survived"
            caught[wrong] += 1
            return "noticed"

        for mutation, result in zip(mutations, pool.map(outcome, mutations), strict=True):
            tally[mutation.module, result] += 1
            if result in ("survived", "never run"):
                line = source_of(mutation.module).splitlines()[mutation.line - 1].strip()
                sys.stdout.write(f"{result}: {mutation.module}, line {mutation.line}: {mutation.text}: {line}\n")
                sys.stdout.flush()
    sys.stdout.write("".join(f"no golden file runs {function}\n" for function in sorted(unused)))
    for module in sorted({module for module, _ in tally}):
        counts = ", ".join(f"{tally[module, kind]} {kind}" for kind in KINDS)
        sys.stdout.write(f"{module}: {counts}\n")


if __name__ == "__main__":
    os.environ["MVZ_UNCOMPILED"] = "1"
    for heavy in ("numpy", "zstandard", "construct", "PIL.Image"):  # shared by all children
        importlib.import_module(heavy)
    main()
