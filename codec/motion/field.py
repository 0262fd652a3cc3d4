"""Motion fields: what the file says about motion, and how vectors become small differences."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from codec.models import MotionModel

__all__ = [
    "SHARP",
    "SOFT",
    "CellMode",
    "Modes",
    "MotionField",
    "Vectors",
    "corner_means",
    "grid_shape",
]

Vectors = npt.NDArray[np.int16]
Modes = npt.NDArray[np.uint8]

# Taps next to the middle ones of the filter that makes half samples (spec 7.5). SHARP is H.264's, and matches what was
# decoded from it exactly; in a loop that quantises, SOFT saves 0…2 % of the bytes, since it passes on less noise
SHARP, SOFT = 5, 4


def grid_shape(model: MotionModel, cell_size: int, width: int, height: int) -> tuple[int, int]:
    """(rows, columns) of the vector grid (spec 7.1).

    A block field has a vector per cell, a mesh one per corner of a cell; cells at the right and bottom
    edges may reach beyond the picture.
    """
    rows, columns = -(-height // cell_size), -(-width // cell_size)
    if model is MotionModel.MESH:
        return rows + 1, columns + 1
    return rows, columns


class CellMode(enum.IntEnum):
    """How a cell of a mesh is predicted (spec 7.6…7.8); the value is the code in the file."""

    WARP = 0
    BLEND = 1
    OWN = 2


@dataclass(frozen=True, eq=False)
class MotionField:
    """Backward motion of one P picture, (dy, dx) in quarter luma samples.

    The prediction of the sample at (y, x) is the reference at (y + dy/4, x + dx/4).

    Attributes:
        model: BLOCK (a vector for each cell) or MESH (a vector for each node, and a mode for each cell).
        cell_size: side of a cell in luma samples, a power of two.
        vectors_quarter_pel: int16 (rows, columns, 2), shaped as `grid_shape` says.
        modes: of a mesh, uint8 (cell rows, cell columns), members of `CellMode`; of blocks, empty.
        own_quarter_pel: of a mesh, int16 (cell rows, cell columns, 2): the vectors of cells in mode OWN, 0 elsewhere;
            of blocks, empty.
    """

    model: MotionModel
    cell_size: int
    vectors_quarter_pel: Vectors
    modes: Modes = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    own_quarter_pel: Vectors = field(default_factory=lambda: np.zeros((0, 0, 2), np.int16))

    def differences(self) -> Vectors:
        """Each vector minus the median prediction from its neighbours (spec 7.2), int16, same shape."""
        from codec.motion.vector_prediction import vector_differences

        differences: Vectors = vector_differences(self.vectors_quarter_pel)
        return differences

    def own_differences(self) -> Vectors:
        """Each own vector minus its prediction from the cell's nodes (spec 7.3), int16 (own cells, 2)."""
        if self.model is MotionModel.BLOCK:
            return np.zeros((0, 2), np.int16)
        own = self.modes == CellMode.OWN
        differences: Vectors = self.own_quarter_pel[own] - corner_means(self.vectors_quarter_pel)[own]
        return differences

    def doubled(self) -> MotionField:
        """The same with vectors twice as long."""
        vectors, own = 2 * self.vectors_quarter_pel, 2 * self.own_quarter_pel
        return MotionField(self.model, self.cell_size, vectors, self.modes, own)

    @classmethod
    def all_from_differences(
        cls, model: MotionModel, cell_size: int, differences: Vectors, limit_quarter_pel: int
    ) -> list[MotionField]:
        """The inverse of `differences`, of several pictures: fields without modes and own vectors.

        Raises:
            ValueError: a vector component is beyond ``limit_quarter_pel``.
        """
        from codec.motion.vector_prediction import vectors_from_differences

        vectors = vectors_from_differences(differences, limit_quarter_pel)
        if vectors is None:
            raise ValueError(f"a vector component is beyond ±{limit_quarter_pel} quarter samples")
        return [cls(model, cell_size, of_picture) for of_picture in vectors]

    def with_modes(self, modes: Modes, own_differences: Vectors, limit_quarter_pel: int) -> MotionField:
        """This mesh with modes and own vectors; the inverse of `own_differences`.

        Raises:
            ValueError: a component of an own vector is beyond ``limit_quarter_pel``.
        """
        own = np.zeros((*modes.shape, 2), np.int16)
        means = corner_means(self.vectors_quarter_pel)[modes == CellMode.OWN].astype(np.int32)
        vectors = means + own_differences
        if vectors.size and int(np.abs(vectors).max()) > limit_quarter_pel:
            raise ValueError(f"a component of an own vector is beyond ±{limit_quarter_pel} quarter samples")
        own[modes == CellMode.OWN] = vectors
        return replace(self, modes=modes, own_quarter_pel=own)


def corner_means(vectors: Vectors) -> Vectors:
    """Mean of each cell's four node vectors, rounded up at a half, int16 (cell rows, cell columns, 2)."""
    wide = vectors.astype(np.int32)
    total = wide[:-1, :-1] + wide[:-1, 1:] + wide[1:, :-1] + wide[1:, 1:]
    means: Vectors = ((total + 2) >> 2).astype(np.int16)
    return means
