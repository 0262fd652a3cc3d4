"""The motion field of a P picture of a mesh."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from codec.models import MotionModel, Speed
from codec.motion.field import CellMode, MotionField, corner_means, grid_shape
from codec.search.mesh_fitting import MeshFitter
from codec.search.motion import LAMBDA, LEAST_LAMBDA, Searched, Windows, block_windows, search_windows

__all__ = ["search_mesh"]

SWEEPS = {Speed.SLOW: (4, 3), Speed.MEDIUM: (2, 1), Speed.FAST: (1, 1)}  # of each descent; how often modes are chosen


def search_mesh(searched: Searched, cell_size: int, allowed: Collection[CellMode] = tuple(CellMode)) -> MotionField:
    """Fit a mesh: block matches around nodes and cells, then nodes downhill and a mode for each cell, in turns.

    What counts is squared error + λ · estimated bits, with λ a quarter of the mean squared error of the block matches.
    Cells start as BLEND; only ``allowed`` modes are chosen, among them WARP or BLEND.
    """
    height, width = searched.source.shape
    rows, columns = grid_shape(MotionModel.MESH, cell_size, width, height)
    half = cell_size // 2
    around_nodes = Windows(
        np.minimum(np.arange(rows, dtype=np.int32) * cell_size - half, height - 1),
        np.minimum(np.arange(columns, dtype=np.int32) * cell_size - half, width - 1),
        cell_size,
    )
    before = searched.before.vectors_quarter_pel if searched.before is not None else None
    nodes = search_windows(searched, around_nodes, before)
    own = search_windows(searched, block_windows(height, width, cell_size), corner_means(nodes))
    first = CellMode.BLEND if CellMode.BLEND in allowed else CellMode.WARP
    modes = np.full(own.shape[:2], first, np.uint8)
    matcher = searched.matcher()
    fitter = MeshFitter(searched.source, matcher, nodes, modes, own, cell_size)
    lagrangian = max(LEAST_LAMBDA, LAMBDA * fitter.mean_squared_error(own))
    may = [mode in allowed for mode in (CellMode.BLEND, CellMode.OWN, CellMode.WARP)]
    error = fitter.fit(lagrangian, *SWEEPS[searched.speed], *may)
    if error > fitter.mean_squared_error(np.zeros_like(own)) * searched.source.size:
        nodes[:], modes[:] = 0, first
    own[modes != CellMode.OWN] = 0
    return MotionField(MotionModel.MESH, cell_size, nodes, modes, own)
