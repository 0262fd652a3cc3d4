"""Encoder only: a mesh moved until its prediction fits, by steps of Gauss and Newton (Baker & Matthews, 2004)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from codec.coded import NodeGrid
from codec.picture.planes import Plane

__all__ = ["fit_mesh"]

Reals: TypeAlias = npt.NDArray[np.float64]

TURNS = 3
OUTLIER = 10.0  # an error of so many sample values of 8 bits counts half: it is no matter of the mesh
ROUGH_BITS = 500.0  # of a node that is a whole sample off the plane through those beside it
HOLD = 1e-3  # against steps where nothing is to be seen, as a share of the mean node's gradients
SOLVER_STEPS = 60
LONGEST_STEP = 1.0  # in samples: gradients say nothing about what lies further off


def fit_mesh(
    source: Plane,
    warp: Callable[[NodeGrid], Plane],
    grid: NodeGrid,
    limit_quarter_pel: int,
    lagrangian: float,
    unit: int = 1,
) -> NodeGrid:
    """Move the nodes of ``grid`` downhill on squared error + λ · bits of vectors that do not lie on a plane.

    ``source`` is luma (H, W); ``warp`` gives what a mesh predicts of it; ``unit`` of their sample values are one of 8
    bits. Quarters are found by search; what lies
    between them is worth 1…3 dB of the prediction where a picture turns or grows.
    """
    nodes: Reals = grid.nodes_sixteenth_pel / 16
    rough, wanted = ROUGH_BITS * lagrangian / unit**2, _reals(source, unit)
    for _ in range(TURNS):
        squares, slopes = _normal_equations(wanted, _reals(warp(_rounded(grid, nodes)), unit), grid)
        hold = HOLD * float(np.trace(squares, axis1=2, axis2=3).mean()) + 1

        def pulled(step: Reals, squares: Reals = squares, hold: float = hold) -> Reals:
            return _dealt(np.einsum("rcij,rcj->rci", squares, _gathered(step))) + rough * _roughness(step) + hold * step

        step = _solved(pulled, _dealt(slopes) - rough * _roughness(nodes))
        limit = limit_quarter_pel / 4
        nodes = np.clip(nodes + np.clip(step, -LONGEST_STEP, LONGEST_STEP), -limit, limit)
    return _rounded(grid, nodes)


def _rounded(grid: NodeGrid, nodes: Reals) -> NodeGrid:
    return NodeGrid(grid.cell_size, np.rint(16 * nodes).astype(np.int16))


def _reals(plane: Plane, unit: int) -> npt.NDArray[np.float32]:
    return plane.astype(np.float32) / np.float32(unit)


def _normal_equations(
    source: npt.NDArray[np.float32], prediction: npt.NDArray[np.float32], grid: NodeGrid
) -> tuple[Reals, Reals]:
    """Of each cell: products (rows, columns, 8, 8) of what its corners' components do to it, and with the error."""
    side = grid.cell_size
    rows, columns = grid.nodes_sixteenth_pel.shape[0] - 1, grid.nodes_sixteenth_pel.shape[1] - 1
    along = np.arange(side, dtype=np.float32) / side
    hats = np.stack([np.outer(v, u) for v in (1 - along, along) for u in (1 - along, along)], axis=-1)
    error = source - prediction
    trust = 1 / (1 + (error / OUTLIER) ** 2)
    gradient = [  # of a single row or column none across
        np.gradient(prediction, axis=axis) if length > 1 else np.zeros_like(prediction)
        for axis, length in enumerate(prediction.shape)
    ]
    planes = np.stack([*gradient, error], axis=-1) * np.sqrt(trust)[..., None]
    planes = np.pad(planes, ((0, rows * side - len(source)), (0, columns * side - source.shape[1]), (0, 0)))
    squares, slopes = np.empty((rows, columns, 8, 8)), np.empty((rows, columns, 8))
    for row, strip in enumerate(planes.reshape(rows, side, columns, side, 3).transpose(0, 2, 1, 3, 4)):
        pulls = (hats[..., None] * strip[..., None, :2]).reshape(columns, side * side, 8)
        squares[row] = pulls.transpose(0, 2, 1) @ pulls
        slopes[row] = np.einsum("cpi,cp->ci", pulls, strip[..., 2].reshape(columns, -1))
    return squares, slopes


def _gathered(nodes: Reals) -> Reals:
    """What the corners of each cell have, (rows, columns, 8)."""
    return np.concatenate([nodes[:-1, :-1], nodes[:-1, 1:], nodes[1:, :-1], nodes[1:, 1:]], axis=-1)


def _dealt(cells: Reals) -> Reals:
    """The transpose of `_gathered`: sums at nodes of what cells have for their corners."""
    nodes = np.zeros((cells.shape[0] + 1, cells.shape[1] + 1, 2))
    for corner, (rows, columns) in enumerate(((slice(-1), slice(-1)), (slice(-1), slice(1, None)))):
        nodes[rows, columns] += cells[..., 2 * corner : 2 * corner + 2]
        nodes[1:, columns] += cells[..., 2 * corner + 4 : 2 * corner + 6]
    return nodes


def _roughness(nodes: Reals) -> Reals:
    """The gradient of half the sum of squared second differences, across, down and both: 0 on a plane."""
    total = np.zeros_like(nodes)
    for axes in ((0, 0), (1, 1), (0, 1)):
        bent = np.diff(np.diff(nodes, axis=axes[0]), axis=axes[1])
        for axis in axes:
            beyond = [(int(other == axis),) * 2 for other in range(3)]
            bent = np.diff(np.pad(bent, beyond), axis=axis)
        total += bent
    return total


def _solved(apply: Callable[[Reals], Reals], right: Reals) -> Reals:
    """Conjugate gradients: about the solution of ``apply``(x) = ``right`` (Hestenes & Stiefel, 1952)."""
    found, left = np.zeros_like(right), right.copy()
    direction, energy = left, float((left * left).sum())
    for _ in range(SOLVER_STEPS):
        if energy < 1e-12:
            break
        image = apply(direction)
        length = energy / float((direction * image).sum())
        found += length * direction
        left -= length * image
        before, energy = energy, float((left * left).sum())
        direction = left + energy / before * direction
    return found
