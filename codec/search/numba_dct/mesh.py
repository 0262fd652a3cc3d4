"""What a mesh makes of a reference, for the leaves that take it (spec 6.9, 7.4)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codec.kernels import kernel
from codec.motion.compensate import Geometry, Reference, plane_geometry, warp_cell
from codec.motion.half_planes import HalfPlanes, Layout
from codec.picture.planes import Plane, Subsampling
from codec.search.numba_dct.blocks import NodeGrid, Shape
from codec.search.numba_dct.decode import Mesh

__all__ = ["mesh_of", "warp"]


def mesh_of(grid: NodeGrid | None, reference: Reference | None, shape: Shape) -> Mesh | None:
    """What blocks of ``shape`` may take from a mesh."""
    if grid is None or reference is None:
        return None
    subsamplings = reference.picture.format.sample_format.subsampling
    planes = (warp(grid, reference.full(number), subsampling) for number, subsampling in enumerate(subsamplings))
    return Mesh(tuple(planes), grid.displacements(*shape.cells))


def warp(grid: NodeGrid, reference: HalfPlanes, subsampling: Subsampling) -> Plane:
    """A plane of the reference, `codec.motion.half_planes.bordered`, as a mesh moves it."""
    log2_rows, log2_columns, to_sixteenths_y, to_sixteenths_x = plane_geometry(grid.cell_size, subsampling)
    geometry = (log2_rows, log2_columns, to_sixteenths_y - 2, to_sixteenths_x - 2)  # vectors are not in quarters
    prediction = np.empty(reference.layout[2:], np.uint8)
    warp_cells(*reference, grid.nodes_sixteenth_pel, geometry, prediction)
    return prediction


@kernel
def warp_cells(
    samples: Plane, layout: Layout, nodes: npt.NDArray[np.int16], geometry: Geometry, prediction: Plane
) -> None:
    """All cells of a plane."""
    for row in range(nodes.shape[0] - 1):
        for column in range(nodes.shape[1] - 1):
            warp_cell(samples, layout, nodes, row, column, geometry, prediction)
