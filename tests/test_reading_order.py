"""docs/reading.md lists the decoder in reading order, with the lines of each file; all of it, and truly."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "reading.md").read_text("utf-8")
ROW = re.compile(r"^\| `(codec/[\w/]+\.py)` \| (\d+) \|", re.MULTILINE)
TOTAL = re.compile(r"the decoder of everything is ([\d,]+) lines in (\d+) files")

# What a decoder needs beside what the format defines: errors, choices as numbers, pictures in memory and their colours
NOT_NORMATIVE = ("codec", "codec.errors", "codec.models", "codec.arguments", "codec.buffers", "codec.vectors")
NOT_NORMATIVE += ("codec.bitstream.limits", "codec.picture.")


def test_lines_of_files_are_as_the_list_says():
    listed = {path: int(lines) for path, lines in ROW.findall(PAGE)}
    there = {path: (ROOT / path).read_text("utf-8").count("\n") for path in listed}
    assert there == listed


def test_the_sum_is_as_the_text_says():
    rows = ROW.findall(PAGE)
    (total, files), *others = TOTAL.findall(PAGE)
    assert others == []
    assert TOTAL.findall((ROOT / "README.md").read_text("utf-8")) == [(total, files)]
    assert (sum(int(lines) for _, lines in rows), len(rows)) == (int(total.replace(",", "")), int(files))


def test_the_list_has_every_module_that_decoding_needs():
    reached, waiting = set(), ["codec.reconstruct", "codec.bitstream.container"]
    while waiting:
        module = waiting.pop()
        path = ROOT / f"{module.replace('.', '/')}.py"
        is_picture = module.startswith(NOT_NORMATIVE[-1]) and module != "codec.picture.value_maps"
        if module in reached or module in NOT_NORMATIVE or is_picture or not path.is_file():
            continue
        reached.add(module)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    listed = {path.removesuffix(".py").replace("/", ".") for path, _ in ROW.findall(PAGE)}
    assert listed == reached
