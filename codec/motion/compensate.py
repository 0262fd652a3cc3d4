"""The prediction that a motion field defines (spec 7): normative, integers only."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from codec.kernels import Integer, kernel
from codec.models import MotionModel
from codec.motion.field import MotionField, Vectors
from codec.picture.planes import Picture, Plane, Subsampling

__all__ = ["CATMULL_ROM_TAPS", "compensate", "compensate_plane"]

# Catmull-Rom at sixteenths of a sample, sum 128; phases 9…15 mirror 7…1 (spec 9.1)
_FIRST_HALF: Final = (
    (0, 128, 0, 0),
    (-4, 127, 5, 0),
    (-6, 123, 12, -1),
    (-8, 118, 20, -2),
    (-9, 111, 29, -3),
    (-9, 102, 39, -4),
    (-9, 93, 50, -6),
    (-9, 83, 61, -7),
    (-8, 72, 72, -8),
)
CATMULL_ROM_TAPS: Final[npt.NDArray[np.int32]] = np.array(
    _FIRST_HALF + tuple(taps[::-1] for taps in _FIRST_HALF[7:0:-1]), dtype=np.int32
)


def compensate(field: MotionField | None, reference: Picture) -> tuple[Plane, ...]:
    """Predict every plane of a picture from its reference; without a field nothing moves.

    Returns one uint8 plane for each of the reference's.
    """
    if field is None:
        return reference.planes
    return tuple(
        compensate_plane(field, plane, subsampling)
        for plane, subsampling in zip(reference.planes, reference.format.sample_format.subsampling, strict=True)
    )


def compensate_plane(field: MotionField, reference: Plane, subsampling: Subsampling) -> Plane:
    """Predict one plane, uint8 (rows, columns) as ``reference``.

    In a subsampled plane the same vectors act on smaller cells, in units of an eighth of its samples.
    """
    log2_cell = field.cell_size.bit_length() - 1
    prediction = np.empty_like(reference)
    predict = predict_blocks if field.model is MotionModel.BLOCK else predict_mesh
    predict(
        reference,
        field.vectors_quarter_pel,
        log2_cell - subsampling.log2_y,
        log2_cell - subsampling.log2_x,
        2 - subsampling.log2_y,  # quarter luma samples to sixteenths of this plane's samples
        2 - subsampling.log2_x,
        CATMULL_ROM_TAPS,
        prediction,
    )
    return prediction


@kernel
def _clamp(value: Integer, high: Integer) -> Integer:
    return min(max(value, 0), high)


@kernel
def sample_sixteenth_pel(
    reference: Plane, y_sixteenth: Integer, x_sixteenth: Integer, taps: npt.NDArray[np.int32]
) -> Integer:
    """The reference between its samples (spec 7.2); a tap outside takes the nearest sample of the edge."""
    y, x = y_sixteenth >> 4, x_sixteenth >> 4
    row_phase, column_phase = y_sixteenth & 15, x_sixteenth & 15
    bottom, right = reference.shape[0] - 1, reference.shape[1] - 1
    total = np.int32(8192)  # |total| < 2**23: no phase has |taps| that sum beyond 160
    for j in range(4):
        row = _clamp(y + j - 1, bottom)
        line = np.int32(0)
        for i in range(4):
            line += taps[column_phase, i] * np.int32(reference[row, _clamp(x + i - 1, right)])
        total += taps[row_phase, j] * line
    return _clamp(total >> 14, 255)


@kernel
def predict_block(
    reference: Plane,
    vectors: Vectors,
    cell_row: Integer,
    cell_column: Integer,
    log2_rows: Integer,
    log2_columns: Integer,
    shift_y: Integer,
    shift_x: Integer,
    taps: npt.NDArray[np.int32],
    prediction: Plane,
) -> None:
    """Block prediction of one cell (spec 7.3): the reference moved by the cell's vector.

    The two passes of the filter are apart, which gives the sums of `sample_sixteenth_pel` exactly.
    """
    height, width = reference.shape
    y0, x0 = cell_row << log2_rows, cell_column << log2_columns
    rows, columns = min(1 << log2_rows, height - y0), min(1 << log2_columns, width - x0)
    dy = np.int32(vectors[cell_row, cell_column, 0]) << shift_y
    dx = np.int32(vectors[cell_row, cell_column, 1]) << shift_x
    top, left, row_phase, column_phase = y0 + (dy >> 4), x0 + (dx >> 4), dy & 15, dx & 15
    if row_phase == 0 and column_phase == 0:
        for j in range(rows):
            row = _clamp(top + j, height - 1)
            for i in range(columns):
                prediction[y0 + j, x0 + i] = reference[row, _clamp(left + i, width - 1)]
        return
    lines = np.empty((rows + 3, columns), np.int32)
    for j in range(rows + 3):
        row = _clamp(top + j - 1, height - 1)
        for i in range(columns):
            line = np.int32(0)
            for k in range(4):
                column = _clamp(left + i + k - 1, width - 1)
                line += taps[column_phase, k] * np.int32(reference[row, column])
            lines[j, i] = line
    for j in range(rows):
        for i in range(columns):
            total = np.int32(8192)
            for k in range(4):
                total += taps[row_phase, k] * lines[j + k, i]
            prediction[y0 + j, x0 + i] = _clamp(total >> 14, 255)


@kernel
def predict_blocks(
    reference: Plane,
    vectors: Vectors,
    log2_rows: Integer,
    log2_columns: Integer,
    shift_y: Integer,
    shift_x: Integer,
    taps: npt.NDArray[np.int32],
    prediction: Plane,
) -> None:
    """Block prediction of a plane, cell by cell."""
    for row in range(vectors.shape[0]):
        for column in range(vectors.shape[1]):
            predict_block(reference, vectors, row, column, log2_rows, log2_columns, shift_y, shift_x, taps, prediction)


@kernel
def predict_mesh_cell(
    reference: Plane,
    vectors: Vectors,
    cell_row: Integer,
    cell_column: Integer,
    log2_rows: Integer,
    log2_columns: Integer,
    shift_y: Integer,
    shift_x: Integer,
    taps: npt.NDArray[np.int32],
    prediction: Plane,
) -> None:
    """Mesh prediction of one cell (spec 7.4): bilinear displacement between the cell's four nodes."""
    y0, x0 = cell_row << log2_rows, cell_column << log2_columns
    rows, columns = (
        min(1 << log2_rows, reference.shape[0] - y0),
        min(1 << log2_columns, reference.shape[1] - x0),
    )
    down_y, down_x = log2_rows + log2_columns - shift_y, log2_rows + log2_columns - shift_x
    corners = vectors[cell_row : cell_row + 2, cell_column : cell_column + 2]
    for v in range(rows):
        below = np.int32(v)
        above = np.int32((1 << log2_rows) - v)
        left_y = above * np.int32(corners[0, 0, 0]) + below * np.int32(corners[1, 0, 0])
        left_x = above * np.int32(corners[0, 0, 1]) + below * np.int32(corners[1, 0, 1])
        right_y = above * np.int32(corners[0, 1, 0]) + below * np.int32(corners[1, 1, 0])
        right_x = above * np.int32(corners[0, 1, 1]) + below * np.int32(corners[1, 1, 1])
        for u in range(columns):
            to_right = np.int32((1 << log2_columns) - u)
            dy = (to_right * left_y + u * right_y + (1 << (down_y - 1))) >> down_y
            dx = (to_right * left_x + u * right_x + (1 << (down_x - 1))) >> down_x
            y, x = y0 + v, x0 + u
            prediction[y, x] = sample_sixteenth_pel(reference, 16 * y + dy, 16 * x + dx, taps)


@kernel
def predict_mesh(
    reference: Plane,
    vectors: Vectors,
    log2_rows: Integer,
    log2_columns: Integer,
    shift_y: Integer,
    shift_x: Integer,
    taps: npt.NDArray[np.int32],
    prediction: Plane,
) -> None:
    """Mesh prediction of a plane, cell by cell."""
    for row in range(vectors.shape[0] - 1):
        for column in range(vectors.shape[1] - 1):
            predict_mesh_cell(
                reference, vectors, row, column, log2_rows, log2_columns, shift_y, shift_x, taps, prediction
            )
