"""Encoder only: a picture to blocks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from codec.dct.tables import SCALES
from codec.motion.compensate import Reference
from codec.picture.planes import Picture
from codec.search.numba_dct.bench import SHEETS, SOURCE, Aim, Effort, Rates, new_bench
from codec.search.numba_dct.blocks import CodedBlocks, shape_of
from codec.search.numba_dct.decode import Mesh
from codec.search.numba_dct.desk import WARP, desk_of, new_sheets, put_on_sheet
from codec.search.numba_dct.neighbours import Vectors
from codec.search.numba_dct.search import search_blocks, stages
from codec.search.numba_dct.wiener_fit import fit_wiener

__all__ = ["add_filter", "code_blocks", "weight_of"]

WEIGHT = 0.10  # λ, as a share of the squared quantiser step


def weight_of(qp: int) -> float:
    """λ of a quantiser."""
    return WEIGHT * float(2 ** ((qp - 4) / 3))


def code_blocks(
    source: Picture,
    reference: Reference | None,
    before: Vectors | None,
    seeds: npt.NDArray[np.int16] | None,
    rates: Rates,
    qp: int,
    qp_chroma: int,
    vector_limit: int,
    effort: Effort,
    mesh: Mesh | None = None,
) -> CodedBlocks:
    """The blocks of a picture, not filtered yet.

    ``seeds`` are vectors of 16×16 blocks, int16 (rows, columns, 2), or None where nothing moves.
    """
    shape = shape_of(source.format)
    sheets = new_sheets(SHEETS, shape)
    put_on_sheet(source.planes, shape, sheets[SOURCE * shape.samples : (SOURCE + 1) * shape.samples])
    if mesh is not None:
        put_on_sheet(mesh.prediction, shape, sheets[WARP * shape.samples : (WARP + 1) * shape.samples])
    displacements = mesh.displacements if mesh is not None else np.zeros((*shape.cells, 2), np.int32)
    if before is None:
        before = np.zeros((*shape.cells, 2), np.int32)
    scale, scale_chroma = int(SCALES[qp]), int(SCALES[qp_chroma])
    aim = Aim(
        weight_of(qp),
        scale / 4,
        scale_chroma / 4,
        scale,
        scale_chroma,
        reference is not None,
        seeds is not None,
        mesh is not None,
        vector_limit,
    )
    no_seeds = np.zeros((1, 1, 2), np.int16)
    desk = desk_of(sheets, shape, reference, None)
    bench = new_bench(
        sheets, desk, before, displacements, no_seeds if seeds is None else seeds, rates, aim, effort, stages()
    )
    search_blocks(bench)
    leaves, counts, levels = bench.lists.used
    return CodedBlocks(
        qp,
        qp_chroma,
        bench.lists.leaves[:leaves].copy(),
        bench.lists.counts[:counts].copy(),
        bench.lists.positions[:levels].copy(),
        bench.lists.levels[:levels].copy(),
        None,
    )


def add_filter(blocks: CodedBlocks, source: Picture, decoded: Picture) -> CodedBlocks:
    """The blocks with the filter that brings what they decode to nearest to the source."""
    wiener = fit_wiener(source.planes[0], decoded.planes[0], weight_of(blocks.qp))
    return replace(blocks, wiener=wiener)
