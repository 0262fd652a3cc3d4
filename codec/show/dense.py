"""What motion does to every sample, as arrays: the dense field, forward splatting, how much each mesh cell grows."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from codec import CellMode, Inspection, Leaves, MotionField
from codec.models import BlockKind, MotionModel
from codec.picture.planes import Plane

__all__ = [
    *("Arrows", "Splat", "area_ratios", "arrows", "dense_field", "gather", "leaf_arrows", "node_positions"),
    "splat",
]

Field = npt.NDArray[Any]  # float64 (..., 2): (dy, dx) in luma samples


def dense_field(inspection: Inspection) -> Field:
    """Displacement of every luma sample, float64 (H, W, 2) in samples: where it comes from, relative to itself.

    In blended cells, which mix several motions, it is the mean that the mixing weights give.
    NaN where a leaf of ``dct`` is predicted from inside the picture.
    """
    height, width = inspection.header.format.height, inspection.header.format.width
    field = inspection.field
    dense = np.zeros((height, width, 2)) if field is None else _spread(field)[:height, :width]
    if inspection.leaves is not None:
        _put_leaves(inspection.leaves, dense)
    return dense


def _put_leaves(leaves: Leaves, dense: Field) -> None:
    """Put the vectors of leaves in place; warped ones leave the mesh's."""
    for (top, left, side), kind, vector in zip(
        leaves.places.tolist(), leaves.kinds.tolist(), leaves.vectors_quarter_pel / 4, strict=True
    ):
        if kind != BlockKind.WARPED:
            dense[top : top + side, left : left + side] = np.nan if kind == BlockKind.INTRA else vector


def _spread(field: MotionField) -> Field:
    """The vectors of whole cells, sample by sample."""
    size = field.cell_size
    if field.model is MotionModel.BLOCK:
        return _repeated(field.vectors_quarter_pel / 4, size)
    nodes = field.vectors_quarter_pel / 4
    share = np.arange(size) / size
    down, right = share[:, None, None], share[None, :, None]
    rows, columns = field.modes.shape
    dense = np.zeros((rows, size, columns, size, 2))
    corners = [(0, 0, (1 - down) * (1 - right)), (0, 1, (1 - down) * right), (1, 0, down * (1 - right))]
    for below, aside, weight in [*corners, (1, 1, down * right)]:
        dense += weight[None, :, None] * nodes[below : below + rows, None, aside : aside + columns, None]
    whole = dense.reshape(rows * size, columns * size, 2)
    own = _repeated(field.modes == CellMode.OWN, size)
    whole[own] = _repeated(field.own_quarter_pel / 4, size)[own]
    return whole


def _repeated(cells: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    return np.repeat(np.repeat(cells, size, axis=0), size, axis=1)


class Arrows(NamedTuple):
    """Vectors to draw, float64 (count, 2) each, in luma samples."""

    starts: Field
    vectors: Field
    own: npt.NDArray[np.bool_]
    """(count,): whether a mesh cell's own vector."""
    spacing: float
    """About how many samples lie between one and the next."""


def arrows(field: MotionField, width: int, height: int, most_across: int = 44) -> Arrows:
    """Block vectors at the middle of their blocks; mesh vectors at the nodes, own vectors at the middle of cells.

    Of a fine grid only every second, third … row and column, so that at most ``most_across`` lie side by side.
    """
    stride = -(-field.vectors_quarter_pel.shape[1] // most_across)
    size = field.cell_size
    offset = (size - 1) / 2 if field.model is MotionModel.BLOCK else -0.5
    starts, vectors = _strided(field.vectors_quarter_pel, stride, size, offset)
    own = np.zeros(len(starts), bool)
    if field.model is MotionModel.MESH:
        of_cells = np.zeros(field.modes.shape, bool)
        of_cells[::stride, ::stride] = field.modes[::stride, ::stride] == CellMode.OWN
        places = np.argwhere(of_cells) * size + (size - 1) / 2
        starts = np.concatenate([starts, places])
        vectors = np.concatenate([vectors, field.own_quarter_pel[of_cells] / 4])
        own = np.concatenate([own, np.ones(len(places), bool)])
    inside = (starts <= (height - 0.5, width - 0.5)).all(axis=1)
    spacing = width / min(field.vectors_quarter_pel.shape[1], most_across)
    return Arrows(starts[inside], vectors[inside], own[inside], spacing)


def leaf_arrows(leaves: Leaves, width: int, height: int, most_across: int = 44) -> Arrows:
    """Vectors at the middle of leaves that have one; of small leaves in a large picture only some."""
    spacing = max(width / most_across, 8.0)
    numbers = np.zeros((height, width), np.int64)
    for number, (top, left, side) in enumerate(leaves.places.tolist()):
        numbers[top : top + side, left : left + side] = number
    rows, columns = (np.arange(min(spacing / 2, side - 1), side, spacing).astype(np.int64) for side in (height, width))
    shown = np.unique(numbers[np.ix_(rows, columns)])
    shown = shown[leaves.kinds[shown] != BlockKind.INTRA]
    spacing = max(spacing, math.sqrt(width * height / max(len(shown), 1)))
    top, left, side = leaves.places[shown].T
    middles = np.column_stack(
        [(top + np.minimum(top + side, height) - 1) / 2, (left + np.minimum(left + side, width) - 1) / 2]
    )
    return Arrows(middles, leaves.vectors_quarter_pel[shown] / 4, np.zeros(len(shown), bool), spacing)


def _strided(vectors_quarter_pel: npt.NDArray[np.int16], stride: int, size: int, offset: float) -> tuple[Field, Field]:
    """Places (y, x) and vectors of every ``stride``-th row and column."""
    first = stride // 2 if stride > 1 else 0
    chosen = vectors_quarter_pel[first::stride, first::stride] / 4
    places = np.moveaxis(np.indices(chosen.shape[:2]), 0, -1) * stride + first
    return (places * size + offset).reshape(-1, 2), chosen.reshape(-1, 2)


# ------------------------------------------------------------------------------------------- meshes


def node_positions(field: MotionField, moved: bool) -> Field:
    """Where a mesh's nodes lie, (rows, columns, 2) as (y, x): in the picture, or ``moved`` to the reference."""
    rows, columns = field.vectors_quarter_pel.shape[:2]
    places = np.moveaxis(np.indices((rows, columns)), 0, -1) * field.cell_size - 0.5
    return places + field.vectors_quarter_pel / 4 if moved else places


def area_ratios(field: MotionField) -> npt.NDArray[np.float64]:
    """Area of each mesh cell in the reference over its area in the picture; negative where it is turned over.

    Below 1 the content grows from reference to picture, above 1 it shrinks or is covered.
    """
    nodes = node_positions(field, moved=True)
    diagonal = nodes[1:, 1:] - nodes[:-1, :-1]
    other = nodes[1:, :-1] - nodes[:-1, 1:]
    doubled = diagonal[..., 1] * other[..., 0] - diagonal[..., 0] * other[..., 1]
    ratios: npt.NDArray[np.float64] = doubled / 2 / field.cell_size**2
    return ratios


# ------------------------------------------------------------------------------------------- backward and forward


def gather(reference: Plane, backward: Field) -> Plane:
    """Backward prediction with vectors rounded to whole samples: every sample is fetched; none is left out.

    What lies outside the reference is its nearest sample at the edge.
    """
    places = np.moveaxis(np.indices(reference.shape), 0, -1) + np.rint(backward).astype(np.int64)
    rows, columns = (np.clip(places[..., axis], 0, reference.shape[axis] - 1) for axis in range(2))
    return reference[rows, columns]


class Splat(NamedTuple):
    """What forward prediction makes: samples that land nowhere, once, or on top of each other."""

    samples: Plane
    """Where several land, the one that was sent last; where none does, the reference's at the same place."""
    landed: npt.NDArray[np.int64]
    """How many samples landed at each place."""

    @property
    def holes(self) -> float:
        """Share of samples that nothing landed on."""
        return float(np.mean(self.landed == 0))

    @property
    def overlaps(self) -> float:
        """Share of samples that more than one landed on."""
        return float(np.mean(self.landed > 1))


def splat(reference: Plane, forward: Field) -> Splat:
    """Forward prediction with vectors rounded to whole samples: every sample of the reference is sent somewhere."""
    places = np.moveaxis(np.indices(reference.shape), 0, -1) + np.rint(forward).astype(np.int64)
    inside = ((places >= 0) & (places < reference.shape)).all(axis=-1)
    rows, columns = places[inside].T
    landed = np.zeros(reference.shape, np.int64)
    np.add.at(landed, (rows, columns), 1)
    samples = reference.copy()
    samples[rows, columns] = reference[inside]
    return Splat(samples, landed)
