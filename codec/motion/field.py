"""Motion fields: what the file says about motion, and how vectors become small differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from codec.models import MotionModel

__all__ = ["MAX_VECTOR_QUARTER_PEL", "MotionField", "Vectors", "grid_shape"]

Vectors = npt.NDArray[np.int16]

MAX_VECTOR_QUARTER_PEL = 4096  # ±1024 samples; with cells of at most 32, all sums of spec 7.3 stay below 2**23


def grid_shape(model: MotionModel, cell_size: int, width: int, height: int) -> tuple[int, int]:
    """(rows, columns) of the vector grid (spec 7.1).

    A block field has a vector per cell, a mesh one per corner of a cell; cells at the right and bottom
    edges may reach beyond the picture.
    """
    rows, columns = -(-height // cell_size), -(-width // cell_size)
    if model is MotionModel.MESH:
        return rows + 1, columns + 1
    return rows, columns


@dataclass(frozen=True, eq=False)
class MotionField:
    """Backward motion of one P picture, (dy, dx) in quarter luma samples.

    The prediction of the sample at (y, x) is the reference at (y + dy/4, x + dx/4).

    Attributes:
        model: BLOCK (a vector for each cell) or MESH (a vector for each node, interpolated inside the cells).
        cell_size: side of a cell in luma samples, a power of two.
        vectors_quarter_pel: int16 (rows, columns, 2), shaped as `grid_shape` says.
    """

    model: MotionModel
    cell_size: int
    vectors_quarter_pel: Vectors

    def differences(self) -> Vectors:
        """Each vector minus the median prediction from its neighbours (spec 6.3), int16, same shape."""
        from codec.motion.median import vector_differences

        return vector_differences(self.vectors_quarter_pel)

    @classmethod
    def from_differences(
        cls, model: MotionModel, cell_size: int, differences: Vectors, limit_quarter_pel: int
    ) -> MotionField:
        """The inverse of `differences`.

        Raises:
            ValueError: a vector component is beyond ``limit_quarter_pel``.
        """
        from codec.motion.median import vectors_from_differences

        vectors = np.empty_like(differences)
        if not vectors_from_differences(differences, limit_quarter_pel, vectors):
            raise ValueError(f"a vector component is beyond ±{limit_quarter_pel} quarter samples")
        return cls(model, cell_size, vectors)
