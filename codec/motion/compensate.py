"""The prediction that a motion field defines (spec 7): normative, integers only."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from codec.kernels import Integer, kernel
from codec.models import MotionModel
from codec.motion.field import SHARP, CellMode, Modes, MotionField, Vectors
from codec.motion.half_planes import HalfPlanes, Layout, bordered, half_planes, place_within, quarter_offsets
from codec.motion.taps import SIXTEENTH_TAPS
from codec.picture.planes import Picture, Plane, Subsampling
from codec.vector_kernels import address, put_between, put_means
from codec.vector_transforms import sum_8x8

__all__ = ["Reference", "compensate", "compensate_planes", "plane_geometry"]

Geometry = tuple[int, int, int, int]
WARP, BLEND = int(CellMode.WARP), int(CellMode.BLEND)  # plain numbers, for kernels


class Reference:
    """A decoded picture to predict from, with the half samples of its planes, made when they are first needed."""

    def __init__(self, picture: Picture, tap: int = SHARP) -> None:
        self.picture = picture
        self._tap = tap
        self._halves: dict[int, HalfPlanes] = {}
        self._between: dict[int, HalfPlanes] = {}
        self._full: dict[int, HalfPlanes] = {}

    def between(self, plane: int, fill: Callable[[Plane], HalfPlanes]) -> HalfPlanes:
        """The same by another filter, of a plane that is not subsampled."""
        if self.picture.format.sample_format.subsampling[plane] != (0, 0):
            return self.halves(plane)
        if plane not in self._between:
            self._between[plane] = fill(self.picture.planes[plane])
        return self._between[plane]

    def full(self, plane: int) -> HalfPlanes:
        """`bordered` of a plane."""
        if plane not in self._full:
            self._full[plane] = bordered(self.picture.planes[plane])
        return self._full[plane]

    def halves(self, plane: int) -> HalfPlanes:
        """`half_planes` of a plane; of a subsampled one only what it needs, which is FULL."""
        if plane not in self._halves:
            subsampled = self.picture.format.sample_format.subsampling[plane] != (0, 0)
            samples = self.picture.planes[plane]
            self._halves[plane] = self.full(plane) if subsampled else half_planes(samples, self._tap)
        return self._halves[plane]


def compensate(field: MotionField | None, reference: Reference) -> tuple[Plane, ...]:
    """Predict every plane of a picture from its reference; without a field nothing moves.

    Returns one uint8 plane for each of the reference's.
    """
    planes = reference.picture.planes
    if field is None:
        return planes
    subsamplings = reference.picture.format.sample_format.subsampling
    return compensate_planes(field, [reference.halves(number) for number in range(len(planes))], subsamplings)


def compensate_planes(
    field: MotionField, halves: Sequence[HalfPlanes], subsamplings: Sequence[Subsampling]
) -> tuple[Plane, ...]:
    """Predict planes from the half samples of their references, uint8 (rows, columns) each, all in one call.

    In a subsampled plane the same vectors act on smaller cells, in units of an eighth of its samples.
    """
    samples, layouts = zip(*halves, strict=True)
    geometries = tuple(plane_geometry(field.cell_size, subsampling) for subsampling in subsamplings)
    predictions = tuple(np.empty(layout[2:], np.uint8) for layout in layouts)
    if field.model is MotionModel.BLOCK:
        predict_blocks(samples, layouts, field.vectors_quarter_pel, geometries, predictions)
    else:
        own = field.own_quarter_pel
        predict_mesh(samples, layouts, field.vectors_quarter_pel, field.modes, own, geometries, predictions)
    return predictions


def plane_geometry(cell_size: int, subsampling: Subsampling) -> Geometry:
    """(sy, sx, ty, tx) of spec 7.1: log2 of a cell's rows and columns, and from quarters to the plane's sixteenths."""
    log2_cell = cell_size.bit_length() - 1
    log2_y, log2_x = subsampling
    return log2_cell - log2_y, log2_cell - log2_x, 2 - log2_y, 2 - log2_x


@kernel
def sample_sixteenth_pel(halves: Plane, layout: Layout, y_sixteenth: Integer, x_sixteenth: Integer) -> Integer:
    """The reference between its samples (spec 7.2); a tap outside takes the nearest sample of the edge.

    Down the taps leave 16 bits: −6120…22440; across 32.
    """
    place = place_within(layout, y_sixteenth >> 4, x_sixteenth >> 4) - 3 * layout[1] - 3
    taps = address(SIXTEENTH_TAPS)
    down, across = taps + 16 * (y_sixteenth & 15), taps + 16 * (x_sixteenth & 15)
    total = sum_8x8(address(halves) + place, layout[1], down, across)
    return min(max((total + 2048) >> 12, 0), 255)


@kernel
def move_rectangle(
    halves: Integer,
    layout: Layout,
    rectangle: tuple[Integer, Integer, Integer, Integer],
    dy_quarter: Integer,
    dx_quarter: Integer,
    geometry: Geometry,
    target: Integer,
    target_stride: Integer,
) -> None:
    """Fill what begins at the address ``target`` with a rectangle of the plane, moved by one vector (spec 7.2).

    ``halves`` is an address; the rectangle is (top, left, rows, columns), the vector in quarter samples of plane 0.
    A subsampled plane is moved by sixteenths of its own samples, which are mixed by nearness.
    """
    top, left, rows, columns = rectangle
    _, _, shift_y, shift_x = geometry
    if shift_y == 2 and shift_x == 2:
        first, second = quarter_offsets(layout, top, left, dy_quarter, dx_quarter)
        put_means(target, target_stride, halves + first, halves + second, layout[1], rows, columns)
    else:
        dy, dx = dy_quarter << shift_y, dx_quarter << shift_x
        source = halves + place_within(layout, top + (dy >> 4), left + (dx >> 4))
        put_between(target, target_stride, source, layout[1], dy & 15, dx & 15, rows, columns)


@kernel
def cell_rectangle(
    shape: tuple[int, int], geometry: Geometry, row: Integer, column: Integer
) -> tuple[Integer, Integer, Integer, Integer]:
    """(top, left, rows, columns) of a cell, cut to a plane of ``shape`` (spec 7.1)."""
    top, left = row << geometry[0], column << geometry[1]
    return top, left, min(1 << geometry[0], shape[0] - top), min(1 << geometry[1], shape[1] - left)


@kernel
def predict_blocks(
    halves: tuple[Plane, ...],
    layouts: tuple[Layout, ...],
    vectors: Vectors,
    geometries: tuple[Geometry, ...],
    predictions: tuple[Plane, ...],
) -> None:
    """Block prediction of planes (spec 7.3): every cell is the reference moved by its vector."""
    for number in range(len(predictions)):
        layout, geometry, prediction = layouts[number], geometries[number], predictions[number]
        source, target = address(halves[number]), address(prediction)
        for row in range(vectors.shape[0]):
            for column in range(vectors.shape[1]):
                rectangle = cell_rectangle(prediction.shape, geometry, row, column)
                dy, dx = np.int32(vectors[row, column, 0]), np.int32(vectors[row, column, 1])
                there = target + rectangle[0] * prediction.strides[0] + rectangle[1]
                move_rectangle(source, layout, rectangle, dy, dx, geometry, there, prediction.strides[0])


@kernel
def warp_cell(
    halves: Plane,
    layout: Layout,
    vectors: Vectors,
    cell_row: Integer,
    cell_column: Integer,
    geometry: Geometry,
    prediction: Plane,
) -> None:
    """Prediction of a cell in mode WARP (spec 7.4): bilinear displacement between the cell's four nodes."""
    log2_rows, log2_columns, shift_y, shift_x = geometry
    y0, x0, rows, columns = cell_rectangle(prediction.shape, geometry, cell_row, cell_column)
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
            prediction[y, x] = sample_sixteenth_pel(halves, layout, 16 * y + dy, 16 * x + dx)


@kernel
def blend_cell(
    halves: Plane,
    layout: Layout,
    vectors: Vectors,
    cell_row: Integer,
    cell_column: Integer,
    geometry: Geometry,
    moved: npt.NDArray[np.uint8],
    prediction: Plane,
) -> None:
    """Prediction of a cell in mode BLEND (spec 7.5): the reference moved by each node's vector, mixed bilinearly.

    ``moved`` is room for four cells, uint8 (4, rows, columns).
    """
    log2_rows, log2_columns, _, _ = geometry
    y0, x0, rows, columns = rectangle = cell_rectangle(prediction.shape, geometry, cell_row, cell_column)
    for corner in range(4):
        row, column = cell_row + (corner >> 1), cell_column + (corner & 1)
        dy, dx = np.int32(vectors[row, column, 0]), np.int32(vectors[row, column, 1])
        there = address(moved) + corner * moved.strides[0]
        move_rectangle(address(halves), layout, rectangle, dy, dx, geometry, there, moved.strides[1])
    down = log2_rows + log2_columns
    half = np.int32(1 << (down - 1))
    for v in range(rows):
        below = np.int32(v)
        above = np.int32((1 << log2_rows) - v)
        for u in range(columns):
            to_left = np.int32(u)
            to_right = np.int32((1 << log2_columns) - u)
            upper = to_right * np.int32(moved[0, v, u]) + to_left * np.int32(moved[1, v, u])
            lower = to_right * np.int32(moved[2, v, u]) + to_left * np.int32(moved[3, v, u])
            prediction[y0 + v, x0 + u] = np.int32(above * upper + below * lower + half) >> down


@kernel
def predict_mesh(
    halves: tuple[Plane, ...],
    layouts: tuple[Layout, ...],
    vectors: Vectors,
    modes: Modes,
    own: Vectors,
    geometries: tuple[Geometry, ...],
    predictions: tuple[Plane, ...],
) -> None:
    """Mesh prediction of planes, cell by cell, each in its mode."""
    for number in range(len(predictions)):
        samples, layout, prediction = halves[number], layouts[number], predictions[number]
        geometry = geometries[number]
        moved = np.empty((4, 1 << geometry[0], 1 << geometry[1]), np.uint8)
        for row in range(modes.shape[0]):
            for column in range(modes.shape[1]):
                if modes[row, column] == WARP:
                    warp_cell(samples, layout, vectors, row, column, geometry, prediction)
                elif modes[row, column] == BLEND:
                    blend_cell(samples, layout, vectors, row, column, geometry, moved, prediction)
                else:
                    rectangle = cell_rectangle(prediction.shape, geometry, row, column)
                    dy, dx = np.int32(own[row, column, 0]), np.int32(own[row, column, 1])
                    there = address(prediction) + rectangle[0] * prediction.strides[0] + rectangle[1]
                    move_rectangle(address(samples), layout, rectangle, dy, dx, geometry, there, prediction.strides[0])
