"""Motion as arrays: the dense field, arrows, a mesh's nodes, and two pictures predicted forward and backward."""

from __future__ import annotations

import math
import tempfile
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import codec
from codec import CellMode, CodingBlocks, Inspection, MotionField
from codec.models import BlockKind, MotionModel
from codec.picture.colour import luma
from codec.picture.planes import Picture, Plane
from codec.settings import Settings

__all__ = [
    *("Arrows", "Directions", "Splat", "area_ratios", "arrows", "both_directions", "dense_field", "gather"),
    *("block_arrows", "node_positions", "splat"),
]

Field = npt.NDArray[Any]  # float64 (..., 2): (dy, dx) in luma samples


def dense_field(inspection: Inspection) -> Field:
    """Displacement of every luma sample, float64 (H, W, 2) in samples: where it comes from, relative to itself.

    In blended cells, which mix several motions, it is the mean that the mixing weights give.
    NaN where a block of ``dct`` is predicted from inside the picture.
    """
    height, width = inspection.header.format.height, inspection.header.format.width
    field, blocks = inspection.field, inspection.coding_blocks
    dense = np.zeros((height, width, 2)) if field is None else _spread(field)[:height, :width]
    if blocks is not None:
        vectors = blocks.vectors_quarter_pel / 4
        moves = np.where(blocks.directions[:, None] > 0, vectors, np.nan)
        for (top, left, side), kind, vector in zip(blocks.places.tolist(), blocks.kinds.tolist(), moves, strict=True):
            if kind != BlockKind.WARPED:  # which have the mesh's
                dense[top : top + side, left : left + side] = vector
    return dense


def _spread(field: MotionField) -> Field:
    """The vectors of whole cells, sample by sample."""
    size, nodes = field.cell_size, field.vectors_quarter_pel / 4
    if field.model is MotionModel.BLOCK:
        return _repeated(nodes, size)
    share = np.arange(size) / size
    down, right = share[:, None, None], share[None, :, None]
    rows, columns = field.modes.shape
    dense = np.zeros((rows, size, columns, size, 2))
    for below, aside in product((0, 1), repeat=2):
        weight = (down if below else 1 - down) * (right if aside else 1 - right)
        dense += weight[None, :, None] * nodes[below : below + rows, None, aside : aside + columns, None]
    whole = dense.reshape(rows * size, columns * size, 2)
    own = _repeated(field.modes == CellMode.OWN, size)
    whole[own] = _repeated(field.own_quarter_pel / 4, size)[own]
    return whole


def _repeated(cells: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    return cells.repeat(size, axis=0).repeat(size, axis=1)


class Arrows(NamedTuple):
    """Vectors to draw, float64 (count, 2) each, in luma samples."""

    starts: Field
    vectors: Field
    own: npt.NDArray[np.bool_]  # (count,): whether it is a mesh cell's own vector
    spacing: float  # about how many samples lie between one and the next


def arrows(field: MotionField, width: int, height: int, most_across: int = 44) -> Arrows:
    """Block vectors at the middle of their blocks; mesh vectors at the nodes, own vectors at the middle of cells.

    Of a fine grid only every second, third … row and column, so that at most ``most_across`` lie side by side.
    """
    grid = field.vectors_quarter_pel
    size, stride = field.cell_size, -(-grid.shape[1] // most_across)
    first = stride // 2 if stride > 1 else 0
    chosen = grid[first::stride, first::stride]
    offset = (size - 1) / 2 if field.model is MotionModel.BLOCK else -0.5
    places = np.moveaxis(np.indices(chosen.shape[:2]), 0, -1) * stride + first
    starts, vectors = (places * size + offset).reshape(-1, 2), chosen.reshape(-1, 2) / 4
    own = np.zeros(len(starts), bool)
    if field.model is MotionModel.MESH:
        of_cells = np.zeros(field.modes.shape, bool)
        of_cells[::stride, ::stride] = field.modes[::stride, ::stride] == CellMode.OWN
        starts = np.concatenate([starts, np.argwhere(of_cells) * size + (size - 1) / 2])
        vectors = np.concatenate([vectors, field.own_quarter_pel[of_cells] / 4])
        own = np.concatenate([own, np.ones(np.count_nonzero(of_cells), bool)])
    inside = (starts <= (height - 0.5, width - 0.5)).all(axis=1)
    return Arrows(starts[inside], vectors[inside], own[inside], width / min(grid.shape[1], most_across))


def block_arrows(blocks: CodingBlocks, width: int, height: int, most_across: int = 44) -> Arrows:
    """Vectors at the middle of blocks that have one; of small blocks in a large picture only some."""
    spacing = max(width / most_across, 8.0)
    numbers = np.zeros((height, width), np.int64)
    for number, (top, left, side) in enumerate(blocks.places.tolist()):
        numbers[top : top + side, left : left + side] = number
    rows, columns = (np.arange(min(spacing / 2, side - 1), side, spacing).astype(np.int64) for side in (height, width))
    shown = np.unique(numbers[np.ix_(rows, columns)])
    shown = shown[blocks.directions[shown] > 0]
    spacing = max(spacing, math.sqrt(width * height / max(len(shown), 1)))
    ends = np.minimum(blocks.places[shown, :2] + blocks.places[shown, 2:], (height, width))
    middles = (blocks.places[shown, :2] + ends - 1) / 2
    return Arrows(middles, blocks.vectors_quarter_pel[shown] / 4, np.zeros(len(shown), bool), spacing)


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


class Splat(NamedTuple):
    """What forward prediction makes: samples that land nowhere, once, or on top of each other."""

    samples: Plane  # where several land, the one that was sent last; where none does, the reference's
    landed: npt.NDArray[np.int64]  # how many samples landed at each place

    @property
    def holes(self) -> float:
        """Share of samples that nothing landed on."""
        return float(np.mean(self.landed == 0))

    @property
    def overlaps(self) -> float:
        """Share of samples that more than one landed on."""
        return float(np.mean(self.landed > 1))


class Directions(NamedTuple):
    """Two predictions of one picture from the one before, both by blocks and whole samples, on luma."""

    reference: Plane
    picture: Plane
    forward: Splat
    backward: Plane

    def error(self, prediction: Plane) -> float:
        """MSE of a prediction, in squared sample values."""
        return float(np.mean(np.square(self.picture.astype(np.int32) - prediction)))


def both_directions(before: Picture, picture: Picture, block: int = 16) -> Directions:
    """Search motion both ways between two pictures of one format, and predict ``picture`` with each.

    Forward motion of ``before`` is where each of *its* blocks lies in ``picture``: what an encoder finds that codes the
    two pictures in the other order.
    """
    backward, forward = whole_motion(before, picture, block), whole_motion(picture, before, block)
    reference = luma(before)
    return Directions(reference, luma(picture), splat(reference, forward), gather(reference, backward))


def gather(reference: Plane, backward: Field) -> Plane:
    """Backward prediction with vectors rounded to whole samples: every sample is fetched; none is left out.

    What lies outside the reference is its nearest sample at the edge.
    """
    places = np.moveaxis(np.indices(reference.shape), 0, -1) + np.rint(backward).astype(np.int64)
    rows, columns = (np.clip(places[..., axis], 0, reference.shape[axis] - 1) for axis in range(2))
    return reference[rows, columns]


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


def whole_motion(reference: Picture, picture: Picture, block: int) -> Field:
    """`dense_motion` in whole samples: each block's vector, a neighbour of it, or none, whichever has the least error.

    Rounding alone would favour either direction by chance.
    """
    samples, wanted = luma(reference), luma(picture).astype(np.int32)
    start = np.rint(dense_motion(reference, picture, block))
    best, least = start, np.full(wanted.shape, np.inf)
    for moved in [np.zeros_like(start), *(start + step for step in product((0, -1, 1), repeat=2))]:
        error = block_sums(np.square(gather(samples, moved) - wanted), block)
        best = np.where((error < least)[..., None], moved, best)
        least = np.minimum(error, least)
    return best


def block_sums(values: npt.NDArray[np.int32], block: int) -> npt.NDArray[np.float64]:
    """At every place of (H, W) the sum over its block."""
    sums = values.astype(np.float64)
    for axis, side in enumerate(values.shape):
        starts = np.arange(0, side, block)
        sums = np.repeat(np.add.reduceat(sums, starts, axis), block, axis).take(np.arange(side), axis)
    return sums


def dense_motion(reference: Picture, picture: Picture, block: int) -> Field:
    """The block field of ``picture`` from ``reference``, as an encoder finds it, (H, W, 2) in samples."""
    settings = Settings("lossless", "block", block=block, run=2, gop=2, scene_cut=False, speed="fast")
    with tempfile.TemporaryDirectory(prefix="mvz-lesson-") as folder:
        path = Path(folder) / "pair.mvz"
        with codec.Writer(path, format=picture.format, settings=settings) as out:
            out.append(reference)
            out.append(picture)
        with codec.open(path) as video:
            return dense_field(video.inspect(1))
