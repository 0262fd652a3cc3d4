"""Who may import whom, held by reading every import statement, also those inside functions."""

import ast
import functools
from pathlib import Path

import pytest

import codec

PACKAGE = Path(codec.__file__).parent
MODULES = {
    ".".join(("codec", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
PLUGINS = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((PACKAGE.parent / "mvz").rglob("*.py"))
}
MODULES |= PLUGINS

# What each module or package may import, as prefixes of module names; the longest left side that fits decides.
# A package may always import its own modules, and everyone may ask `codec` for its version.
DECODER = (
    *("codec.bitstream", "codec.reconstruct", "codec.picture", "codec.coded", "codec.parallel"),
    *("codec.errors", "codec.arguments", "codec.models"),
)
PUBLIC = tuple(f"codec:{name}" for name in codec.__all__)
MAY_IMPORT = {
    "codec.compiled": (),
    "codec": ("codec",),  # the list of public names, which it imports when they are asked for
    "mvz": ("codec", "codec:*"),
    "mvz.__main__": ("codec.__main__",),
    **{
        name: (*PUBLIC, "codec.picture", "codec.arguments", "codec.settings", "codec.whole_file")
        for name in PLUGINS
        if name not in ("mvz", "mvz.__main__")
    },
    "codec.__main__": ("codec.cli",),
    "codec.errors": (),
    "codec.models": (),
    "codec.arguments": ("codec.errors",),
    "codec.parallel": ("codec.errors", "codec.arguments"),
    "codec.settings": ("codec.errors", "codec.arguments", "codec.models"),
    "codec.whole_file": ("codec.errors",),
    "codec.picture": ("codec.errors", "codec.arguments", "codec.whole_file"),
    "codec.picture.sources": ("codec.picture", "codec.errors", "codec:open", "codec:Video"),  # .mvz is a source too
    "codec.depths": (),
    "codec.motion": (*("codec.picture.planes", "codec.errors", "codec.models", "codec.vectors"), "codec.depths"),
    "codec.residual": ("codec.coded", "codec.depths", "codec.models", "codec.picture.planes"),
    "codec.vectors": ("codec.depths",),
    "codec.lossless": ("codec.coded", "codec.depths", "codec.picture.planes", "codec.errors", "codec.vectors"),
    "codec.buffers": (),
    "codec.dct": (
        *("codec.buffers", "codec.coded", "codec.errors", "codec.models", "codec.motion"),
        *("codec.depths", "codec.picture.planes", "codec.vectors"),
    ),
    "codec.search": (
        *("codec.lossless", "codec.dct", "codec.motion", "codec.coded", "codec.residual", "codec.vectors"),
        *("codec.buffers", "codec.depths", "codec.picture.planes", "codec.models", "codec.errors"),
    ),
    "codec.search.mini_gop": (
        *("codec.dct.references", "codec.picture.colour", "codec.picture.planes", "codec.search.displacements"),
        *("codec.search.prediction_weights", "codec.search.source_prediction"),
    ),
    "codec.search.displacements": ("codec.motion.field", "codec.picture.colour", "codec.picture.planes"),
    "codec.search.value_maps": (
        *("codec.picture.planes", "codec.picture.value_maps", "codec.depths", "codec.search.occurrence"),
        "codec.writing.streams",
    ),
    "codec.coded": (
        *("codec.motion.field", "codec.dct.syntax", "codec.picture.planes", "codec.picture.value_maps"),
        *("codec.dct.tables", "codec.dct.references", "codec.models", "codec.errors"),
    ),
    "codec.bitstream": (
        *("codec.coded", "codec.errors", "codec.arguments", "codec.models", "codec.motion.field"),
        *("codec.lossless.tables", "codec.picture.planes", "codec.dct.references"),
    ),
    "codec.bitstream.packing": ("codec.errors", "codec.vectors"),
    "codec.bitstream.streams": (
        *("codec.bitstream", "codec.coded", "codec.errors", "codec.models", "codec.picture.planes"),
        *("codec.picture.value_maps", "codec.dct.syntax", "codec.dct.tables", "codec.lossless.tables"),
        "codec.dct.references",
    ),
    "codec.writing": (
        *("codec.bitstream", "codec.coded", "codec.errors", "codec.arguments", "codec.models", "codec.motion.field"),
        *("codec.dct.tables", "codec.lossless.tables", "codec.picture.planes", "codec.picture.value_maps"),
        "codec.dct.references",
    ),
    "codec.writing.context_merge": (),
    "codec.writing.packing": ("codec.bitstream.packing", "codec.vectors"),
    "codec.bitstream.shares": (
        *("codec.bitstream", "codec.coded", "codec.models", "codec.dct.picture", "codec.dct.syntax"),
        *("codec.dct.tables", "codec.lossless.tables", "codec.depths"),
    ),
    "codec.reconstruct": (
        *("codec.picture", "codec.motion.compensation", "codec.motion.field", "codec.motion.vector_prediction"),
        *("codec.lossless.picture", "codec.residual", "codec.depths"),
        *("codec.dct.picture", "codec.dct.references", "codec.coded", "codec.errors", "codec.models"),
    ),
    "codec.search.picture_encoder": (
        *("codec.writing.context_merge", "codec.reconstruct", "codec.picture", "codec.coded", "codec.models"),
        *("codec.dct", "codec.search", "codec.motion", "codec.settings", "codec.writing.streams", "codec.depths"),
    ),
    "codec.decoder": (*DECODER, "codec.inspection", "codec.notebook"),
    "codec.notebook": ("codec.picture", "codec.errors", "codec:Video"),
    "codec.inspection": (*DECODER, "codec.motion.field"),
    "codec.encoder": (
        *(*DECODER, "codec.search", "codec.writing", "codec.motion", "codec.lossless.picture"),
        *("codec.settings", "codec.whole_file", "codec.depths", "codec.targets"),
    ),
    "codec.targets": (
        *("codec.decoder", "codec.picture", "codec.errors", "codec.settings", "codec:Summary"),
        "codec.measure.metrics",
    ),
    "codec.measure": (
        *(*PUBLIC, "codec.picture", "codec.errors", "codec.models", "codec.settings", "codec.whole_file"),
        "codec.parallel",
    ),
    "codec.show": (
        *(*PUBLIC, "codec.picture", "codec.errors", "codec.models", "codec.settings", "codec.whole_file"),
        "codec.measure",
    ),
    "codec.cli": (
        *(*PUBLIC, "codec.picture", "codec.errors", "codec.models", "codec.settings", "codec.whole_file"),
        *("codec.measure", "codec.show", "codec.parallel", "codec.arguments"),
    ),
}

# Where a library may be imported; nobody else may
ONLY_IN = {
    "av": ("codec.picture.films", "codec.picture.film_writing", "codec.picture.pixel_layouts"),
    "PIL": ("codec.picture.images", "mvz.pillow"),
    "matplotlib": ("codec.show",),
    "jinja2": ("codec.show",),
    "imageio_ffmpeg": ("codec.measure.peers",),
    "zstandard": ("codec.bitstream.packing", "codec.writing.packing"),
    "construct": ("codec.bitstream.schema", "codec.bitstream.payloads", "codec.bitstream.container"),
    "distributed": ("codec.cli.cluster",),
    "shtab": ("codec.cli.completion",),
}


def below(module, prefix):
    return module == prefix or module.startswith(f"{prefix}.")


def imports_of(tree, modules=MODULES):
    """Everything that a module imports, with line numbers; ``codec:name`` for a name that ``codec`` itself has."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield (
                    node.lineno,
                    name if name in modules else node.module if node.module != "codec" else f"codec:{alias.name}",
                )


def rule_of(module):
    """The left side in `MAY_IMPORT` that fits best, which for all but ``codec`` itself is not ``codec``."""
    fitting = [name for name in MAY_IMPORT if below(module, name) and (name != "codec" or module == "codec")]
    assert fitting, f"{module} has no rule in this test"
    return max(fitting, key=len)


def allowed(module, imported):
    if imported.split(".")[0].split(":")[0] != "codec" or imported == "codec:__version__":
        return True
    rule = rule_of(module)
    own = rule if rule != "codec" else module
    return below(imported, own) or any(
        below(imported, may) or (imported == "codec" and may.startswith("codec:")) for may in MAY_IMPORT[rule]
    )


def offences(module, tree):
    return [f"line {line}: {imported}" for line, imported in imports_of(tree) if not allowed(module, imported)]


@functools.cache
def tree_of(module):
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_place_allows(module):
    assert [] == offences(module, tree_of(module))


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("codec.errors", "from codec.models import PictureType"),
        ("codec.decoder", "from codec.encoder import encode"),
        ("codec.decoder", "def f():\n    from codec.search.motion import search_blocks"),
        ("codec.decoder", "if TYPE_CHECKING:\n    from codec.settings import Settings"),
        ("codec.encoder", "from codec import decoder"),
        ("codec.reconstruct", "from codec.motion import mesh_search"),
        ("codec.picture.sources", "from codec.settings import Settings"),
        ("codec.bitstream.streams", "from codec.residual import inverse"),
        ("codec.bitstream.packing", "from codec.coded import ContextSubstreams"),
        ("codec.show.plots", "from codec.decoder import Video"),
        ("codec.cli.main", "from codec.bitstream.container import ContainerReader"),
    ],
)
def test_an_import_that_is_not_allowed_is_seen(module, line):
    assert 1 == len(offences(module, ast.parse(line)))


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_imported_only_where_it_belongs(library):
    users = {
        module for module in MODULES if any(below(imported, library) for _, imported in imports_of(tree_of(module)))
    }
    assert {user for user in users if any(below(user, place) for place in ONLY_IN[library])} == users
    assert users or library in ("matplotlib", "jinja2")


def test_no_plug_in_is_imported_but_by_its_host():
    for module in set(MODULES) - set(PLUGINS):
        assert [] == [imported for _, imported in imports_of(tree_of(module)) if below(imported, "mvz")]


def test_only_the_command_line_prints():
    printers = {
        f"{module}, line {node.lineno}"
        for module in MODULES
        if not below(module, "codec.cli")
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Name) and node.id == "print"
    }
    assert set() == printers


def test_the_decoder_reaches_no_encoder_by_any_way():
    reached, waiting = set(), ["codec.decoder"]
    while waiting:
        module = waiting.pop()
        if module in reached or module not in MODULES:
            continue
        reached.add(module)
        waiting += [imported for _, imported in imports_of(tree_of(module))]
    assert {"codec.reconstruct", "codec.motion.compensation", "codec.bitstream.container"} <= reached
    assert {"codec.lossless.rows", "codec.bitstream.packing"} <= reached
    forbidden = ("codec.encoder", "codec.settings", "codec.measure", "codec.show", "codec.cli")
    forbidden += ("codec.search", "codec.writing")
    assert [] == [module for module in reached if module.endswith("_search") or module.startswith(forbidden)]
