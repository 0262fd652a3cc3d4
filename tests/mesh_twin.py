"""What a mesh of dct moves blocks by, in numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codec.coded import NodeGrid


def displacements(grid: NodeGrid, rows: int, columns: int) -> npt.NDArray[np.int32]:
    """What every eighth sample moves by, int32 (rows, columns, 2) in quarter samples (spec 10.7)."""
    side = grid.cell_size
    (i, v), (j, u) = divmod(8 * np.arange(rows), side), divmod(8 * np.arange(columns), side)
    nodes = grid.nodes_sixteenth_pel.astype(np.int32)
    v, u = v[:, None, None], u[None, :, None]
    upper = (side - u) * nodes[i][:, j] + u * nodes[i][:, j + 1]
    lower = (side - u) * nodes[i + 1][:, j] + u * nodes[i + 1][:, j + 1]
    total = (side - v) * upper + v * lower
    return ((total + 2 * side * side) // (4 * side * side)).astype(np.int32)
