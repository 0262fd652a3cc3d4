"""Rows and tiles of samples as vector instructions: the one place with explicit vector code.

Plain loops vectorise only in part: index wrap-around, promotion to 64 bits and alias checks stand in the way.
What is emitted is LLVM's generic vector operations, which it turns into what the processor has.
A 16×16 sum of squared errors takes 12 ns so, and 230 ns as a plain loop.
Samples are found by address: an array as argument of a kernel is counted atomically, which made a search twice as slow.
Nothing checks an address, so a search bounds its vectors before it looks.
`test_kernels` holds each of these against numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from codec.kernels import Integer, kernel

__all__ = [
    "LANES",
    "address",
    "blend_row_sse",
    "emit_all",
    "emit_load",
    "emit_room",
    "emit_sum",
    "put_between",
    "put_means",
    "rectangle_sse",
    "six_taps_of_halves",
    "six_taps_of_samples",
    "six_taps_to_halves",
    "warp_row_sse",
]

_T = TypeVar("_T", bound=np.generic)
View: TypeAlias = Callable[[Integer, tuple[Integer, ...]], npt.NDArray[_T]]
"""(address, shape) → what lies there."""

LANES = 16
SPAN = 32  # the same of what has 16 bits
_BYTE, _HALF, _WORD, _LONG = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_WORDS = ir.VectorType(_WORD, LANES)


def _address() -> Any:
    """An intrinsic (array) → where its first sample lies, int64; whoever asks keeps the array alive.

    That is the caller of a kernel: an array of the kernel's own is freed after its last use, and this may be it.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ptrtoint(_data(context, builder, signature.args[0], arguments[0]), _LONG)

    @intrinsic
    def address(typing_context, array):  # type: ignore[no-untyped-def]
        return types.int64(array), generate

    return address


def _view(kind: Any, dimensions: int) -> Any:
    """An intrinsic (address, shape) → an array of what lies there, which nobody counts."""
    array_type = types.Array(kind, dimensions, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, shape = arguments
        array: Any = context.make_array(array_type)(context, builder)
        helpers: Any = cgutils
        sides = helpers.unpack_tuple(builder, shape, dimensions)
        item_bytes = context.get_abi_sizeof(context.get_data_type(kind))
        strides = [context.get_constant(types.intp, item_bytes)]
        for side in sides[:0:-1]:
            strides.insert(0, builder.mul(side, strides[0]))
        fill: Any = populate_array
        fill(
            array,
            data=builder.inttoptr(address, array.data.type),
            shape=sides,
            strides=strides,
            itemsize=context.get_constant(types.intp, item_bytes),
            meminfo=None,
        )
        return array._getvalue()

    @intrinsic
    def view(typing_context, address, shape):  # type: ignore[no-untyped-def]
        tuple_type: Any = types.UniTuple
        return array_type(types.int64, tuple_type(types.int64, dimensions)), generate

    return view


def _call() -> Any:
    """An intrinsic (address, numbers) → float64: call a compiled function of int64 numbers that lies there."""

    @intrinsic
    def call(typing_context, address, numbers):  # type: ignore[no-untyped-def]
        tuple_type: Any = types.UniTuple
        wide = tuple_type(types.int64, len(numbers))

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            function_type = ir.FunctionType(ir.DoubleType(), [_LONG] * len(numbers))
            function = builder.inttoptr(arguments[0], function_type.as_pointer())
            helpers: Any = cgutils
            return builder.call(function, helpers.unpack_tuple(builder, arguments[1], len(numbers)))

        return types.float64(types.int64, wide), generate

    return call


def _data(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    """Where an array's first element lies."""
    return context.make_array(array_type)(context, builder, array).data


def _load_bytes(builder: Any, place: Any, lanes: int) -> Any:
    """Samples from an address on."""
    samples = builder.load(builder.inttoptr(place, ir.VectorType(_BYTE, lanes).as_pointer()))
    samples.align = 1
    return samples


def emit_load(builder: Any, place: Any, lanes: int, kind: Any = _WORD) -> Any:
    """Samples from an address on, widened to 32 bits or another ``kind``."""
    return builder.zext(_load_bytes(builder, place, lanes), ir.VectorType(kind, lanes))


def _store_bytes(builder: Any, samples: Any, place: Any) -> None:
    """Samples to an address, of which the low byte is kept."""
    bytes_ = ir.VectorType(_BYTE, samples.type.count)
    builder.store(builder.trunc(samples, bytes_), builder.inttoptr(place, bytes_.as_pointer())).align = 1


def _emit_pair_products(builder: Any, left: Any, right: Any) -> Any:
    """left[2 i] · right[2 i] + left[2 i + 1] · right[2 i + 1] of numbers of 16 bits: one instruction on x86."""
    wide = ir.VectorType(_WORD, left.type.count)
    product = builder.mul(builder.sext(left, wide), builder.sext(right, wide))
    parts = []
    for part in range(2):
        lanes = ir.Constant(ir.VectorType(_WORD, left.type.count // 2), list(range(part, left.type.count, 2)))
        parts.append(builder.shuffle_vector(product, product, lanes))
    return builder.add(*parts)


def _sum_of_squares(builder: Any, errors: list[Any]) -> Any:
    """Σ error² of a few vectors of 16 bits."""
    if errors[0].type.count == 1:
        wide = [builder.sext(error, ir.VectorType(_WORD, 1)) for error in errors]
        squares = [builder.mul(error, error) for error in wide]
    else:
        squares = [_emit_pair_products(builder, error, error) for error in errors]
    while len(squares) > 1:  # a tree, so that no sum waits for all others; there are 1, 4 or 8
        squares = [builder.add(*two) for two in zip(squares[::2], squares[1::2], strict=True)]
    return emit_sum(builder, squares[0])


def _emit_mean(builder: Any, b: Any, c: Any, lanes: int) -> Any:
    """Means of samples at two addresses, rounded up at a half, in 16 bits."""
    one = ir.Constant(ir.VectorType(_HALF, lanes), [1] * lanes)
    both = builder.add(emit_load(builder, b, lanes, _HALF), emit_load(builder, c, lanes, _HALF))
    return builder.lshr(builder.add(both, one), one)


def emit_sum(builder: Any, vector: Any) -> Any:
    """The sum of all lanes."""
    declare: Any = cgutils.get_or_insert_function
    reduction = ir.FunctionType(_WORD, (vector.type,))
    return builder.call(declare(builder.module, reduction, f"llvm.vector.reduce.add.v{vector.type.count}i32"), [vector])


def emit_all(builder: Any, word: Any, lanes: int) -> Any:
    """One number in every lane."""
    nothing = ir.Constant(ir.VectorType(word.type, lanes), ir.Undefined)
    first = builder.insert_element(nothing, word, _WORD(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_WORD, lanes), None))


def _count(lanes: int) -> Any:
    """The number of each lane, from 0."""
    return ir.Constant(ir.VectorType(_WORD, lanes), list(range(lanes)))


def _tile_sse(rows: int, columns: int) -> Any:
    """An intrinsic (a, a_stride, b, c, stride): squared error of ``rows`` × ``columns`` samples.

    Of those at the address ``a`` against the means of those at ``b`` and ``c``, rounded up at a half.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, a_stride, b, c, stride = arguments
        errors = []
        for _ in range(rows):
            errors.append(builder.sub(emit_load(builder, a, columns, _HALF), _emit_mean(builder, b, c, columns)))
            a, b, c = builder.add(a, a_stride), builder.add(b, stride), builder.add(c, stride)
        return _sum_of_squares(builder, errors)

    @intrinsic
    def tile_sse(typing_context, a, a_stride, b, c, stride):  # type: ignore[no-untyped-def]
        return types.int32(*(types.int64,) * 5), generate

    return tile_sse


def _blend_lanes(lanes: int) -> Any:
    """An intrinsic: ``lanes`` samples of `blend_row_sse` from column ``u`` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, *moved, v, u, log2_cell = arguments
        size = builder.shl(_WORD(1), log2_cell)
        right = builder.add(emit_all(builder, u, lanes), _count(lanes))
        left = builder.sub(emit_all(builder, size, lanes), right)
        below, above = emit_all(builder, v, lanes), emit_all(builder, builder.sub(size, v), lanes)
        total = emit_all(builder, builder.lshr(builder.mul(size, size), _WORD(1)), lanes)  # a half, for rounding
        for place, across, down in zip(moved, (left, right) * 2, (above, above, below, below), strict=True):
            weighted = builder.mul(emit_load(builder, place, lanes), builder.mul(across, down))
            total = builder.add(total, weighted)
        shift = emit_all(builder, builder.shl(log2_cell, _WORD(1)), lanes)
        blended = builder.trunc(builder.lshr(total, shift), ir.VectorType(_HALF, lanes))
        return _sum_of_squares(builder, [builder.sub(emit_load(builder, source, lanes, _HALF), blended)])

    @intrinsic
    def blend_lanes(typing_context, source, a, b, c, d, v, u, log2_cell):  # type: ignore[no-untyped-def]
        return types.int32(*(types.int64,) * 5, *(types.int32,) * 3), generate

    return blend_lanes


def _warp_lanes(lanes: int) -> Any:
    """An intrinsic: ``lanes`` samples of `warp_row_sse`.

    32 bits are enough: the quarter planes of 2**26 samples with a border of 257 are 1.6 · 10**9 long at most.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, planes, *numbers = arguments
        offset, y, x, step_y, step_x, down, plane_size, stride = (
            emit_all(builder, number, lanes) for number in numbers
        )
        two, three = emit_all(builder, _WORD(2), lanes), emit_all(builder, _WORD(3), lanes)
        dy = builder.ashr(builder.add(y, builder.mul(_count(lanes), step_y)), down)
        dx = builder.ashr(builder.add(x, builder.mul(_count(lanes), step_x)), down)
        phase = builder.add(builder.shl(builder.and_(dy, three), two), builder.and_(dx, three))
        place = builder.add(builder.mul(phase, plane_size), builder.mul(builder.ashr(dy, two), stride))
        place = builder.add(builder.add(place, builder.ashr(dx, two)), builder.add(offset, _count(lanes)))
        samples = ir.Constant(ir.VectorType(_BYTE, lanes), ir.Undefined)
        for k in range(lanes):
            there = builder.add(planes, builder.zext(builder.extract_element(place, _WORD(k)), _LONG))
            sample = builder.load(builder.inttoptr(there, _BYTE.as_pointer()))
            samples = builder.insert_element(samples, sample, _WORD(k))
        moved = builder.zext(samples, ir.VectorType(_HALF, lanes))
        return _sum_of_squares(builder, [builder.sub(emit_load(builder, source, lanes, _HALF), moved)])

    @intrinsic
    def warp_lanes(  # type: ignore[no-untyped-def]
        typing_context, source, planes, offset, y, x, step_y, step_x, down, plane_size, stride
    ):
        return types.int32(*(types.int64,) * 2, *(types.int32,) * 8), generate

    return warp_lanes


def _mean_lanes(lanes: int) -> Any:
    """An intrinsic (target, b, c): ``lanes`` means of samples at two addresses, rounded up at a half, to a third."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, b, c = arguments
        _store_bytes(builder, _emit_mean(builder, b, c, lanes), target)
        return context.get_dummy_value()

    @intrinsic
    def mean_lanes(typing_context, target, b, c):  # type: ignore[no-untyped-def]
        return types.void(*(types.int64,) * 3), generate

    return mean_lanes


def _bilinear_lanes(lanes: int) -> Any:
    """An intrinsic (target, above, below, a, b, c, d): ``lanes`` samples of `put_between`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, above, below, *weights = arguments
        places = (above, builder.add(above, _LONG(1)), below, builder.add(below, _LONG(1)))
        total = ir.Constant(ir.VectorType(_HALF, lanes), [128] * lanes)  # 256 · 255 + 128 at most
        for place, weight in zip(places, weights, strict=True):
            every = emit_all(builder, builder.trunc(weight, _HALF), lanes)
            total = builder.add(total, builder.mul(emit_load(builder, place, lanes, _HALF), every))
        eight = ir.Constant(total.type, [8] * lanes)
        _store_bytes(builder, builder.lshr(total, eight), target)
        return context.get_dummy_value()

    @intrinsic
    def bilinear_lanes(typing_context, target, above, below, a, b, c, d):  # type: ignore[no-untyped-def]
        return types.void(*(types.int64,) * 3, *(types.int32,) * 4), generate

    return bilinear_lanes


def _six_taps(from_samples: bool, to_samples: bool) -> Any:
    """An intrinsic (target, place, step, tap): 1, −t, 15 + t, 15 + t, −t, 1 times six numbers ``step`` bytes apart.

    For `SPAN` places in a row; t is ``tap``, 4 or 5. Of samples the sum lies in −2550…10710, and goes to int16, or
    rounded, shifted 5 and clipped to samples; of such sums it has 32 bits and goes rounded, shifted 10 and clipped
    to samples.
    """
    number_kind, total_kind = _BYTE if from_samples else _HALF, _HALF if from_samples else _WORD

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, place, step, tap = arguments
        halves, totals = ir.VectorType(_HALF, SPAN), ir.VectorType(total_kind, SPAN)
        numbers = []
        for _ in range(6):
            loaded = builder.load(builder.inttoptr(place, ir.VectorType(number_kind, SPAN).as_pointer()))
            loaded.align = 1
            numbers.append(builder.zext(loaded, halves) if from_samples else loaded)
            place = builder.add(place, step)
        outer, inner, middle = (builder.add(numbers[k], numbers[5 - k]) for k in range(3))
        if not from_samples:  # sums of two have 16 bits still
            outer, inner, middle = (builder.sext(pair, totals) for pair in (outer, inner, middle))
        tap = builder.trunc(tap, _HALF) if from_samples else tap
        weighted = builder.mul(middle, emit_all(builder, builder.add(tap, total_kind(15)), SPAN))
        weighted = builder.sub(weighted, builder.mul(inner, emit_all(builder, tap, SPAN)))
        total = builder.add(outer, weighted)
        if not to_samples:
            builder.store(total, builder.inttoptr(target, totals.as_pointer())).align = 1
            return context.get_dummy_value()
        low, high, shift, half = (
            ir.Constant(totals, [number] * SPAN) for number in ((0, 255, 5, 16) if from_samples else (0, 255, 10, 512))
        )
        total = builder.ashr(builder.add(total, half), shift)
        total = builder.select(builder.icmp_signed("<", total, low), low, total)
        total = builder.select(builder.icmp_signed(">", total, high), high, total)
        _store_bytes(builder, total, target)
        return context.get_dummy_value()

    @intrinsic
    def six_taps(typing_context, target, place, step, tap):  # type: ignore[no-untyped-def]
        return types.void(*(types.int64,) * 3, types.int32), generate

    return six_taps


def emit_room(builder: Any, vector: Any) -> Any:
    """A place for a vector, which LLVM keeps in a register."""
    allocate: Any = cgutils.alloca_once
    return allocate(builder, vector)


address = _address()
call: Any = _call()
bytes_at: View[np.uint8] = _view(types.uint8, 1)
tiles_at: View[np.uint8] = _view(types.uint8, 3)
halves_at: View[np.uint16] = _view(types.uint16, 1)
signed_halves_at: View[np.int16] = _view(types.int16, 1)
vectors_at: View[np.int16] = _view(types.int16, 3)
words_at: View[np.int32] = _view(types.int32, 1)
word_rows_at: View[np.int32] = _view(types.int32, 2)
word_blocks_at: View[np.int32] = _view(types.int32, 3)
longs_at: View[np.int64] = _view(types.int64, 1)
reals_at: View[np.float32] = _view(types.float32, 2)
real_blocks_at: View[np.float32] = _view(types.float32, 3)
doubles_at: View[np.float64] = _view(types.float64, 1)
double_rows_at: View[np.float64] = _view(types.float64, 2)
tile_8x16, tile_8x8, tile_4x4, tile_1x1 = _tile_sse(8, 16), _tile_sse(8, 8), _tile_sse(4, 4), _tile_sse(1, 1)
mean_16, mean_1 = _mean_lanes(16), _mean_lanes(1)
six_taps_of_samples, six_taps_to_halves, six_taps_of_halves = (
    _six_taps(True, True),
    _six_taps(True, False),
    _six_taps(False, True),
)
bilinear_16, bilinear_8, bilinear_1 = _bilinear_lanes(16), _bilinear_lanes(8), _bilinear_lanes(1)
blend_16, blend_4, blend_1 = _blend_lanes(16), _blend_lanes(4), _blend_lanes(1)
warp_16, warp_4, warp_1 = _warp_lanes(16), _warp_lanes(4), _warp_lanes(1)


@kernel
def rectangle_sse(
    a: Integer,
    a_stride: Integer,
    b: Integer,
    c: Integer,
    stride: Integer,
    rows: Integer,
    columns: Integer,
    bound: Integer,
) -> Integer:
    """Squared error of the rectangle at address ``a`` against the means of those at ``b`` and ``c``.

    Stops after the rows that reach ``bound``.
    """
    total = np.int32(0)  # 32 × 32 × 255² at most, below 2**27
    row = 0
    while row < rows and total < bound:
        height = 8 if row + 8 <= rows else 4 if row + 4 <= rows else 1
        i = 0
        while i < columns:
            if height == 8 and i + 16 <= columns:
                total += tile_8x16(a + i, a_stride, b + i, c + i, stride)
                i += 16
            elif height == 8 and i + 8 <= columns:
                total += tile_8x8(a + i, a_stride, b + i, c + i, stride)
                i += 8
            elif height == 4 and i + 4 <= columns:
                total += tile_4x4(a + i, a_stride, b + i, c + i, stride)
                i += 4
            else:
                for j in range(height):
                    down = j * stride + i
                    total += tile_1x1(a + j * a_stride + i, a_stride, b + down, c + down, stride)
                i += 1
        row += height
        a += height * a_stride
        b += height * stride
        c += height * stride
    return total


@kernel
def put_means(
    target: Integer, target_stride: Integer, b: Integer, c: Integer, stride: Integer, rows: Integer, columns: Integer
) -> None:
    """Fill the rectangle at address ``target`` with the means of those at ``b`` and ``c``, rounded up at a half."""
    for _ in range(rows):
        i = 0
        while i + 16 <= columns:
            mean_16(target + i, b + i, c + i)
            i += 16
        while i < columns:
            mean_1(target + i, b + i, c + i)
            i += 1
        target += target_stride
        b += stride
        c += stride


@kernel
def put_between(
    target: Integer,
    target_stride: Integer,
    source: Integer,
    stride: Integer,
    down: Integer,
    right: Integer,
    rows: Integer,
    columns: Integer,
) -> None:
    """Fill the rectangle at address ``target`` with what lies ``down`` and ``right`` sixteenths beside ``source``.

    The four samples around each are mixed by nearness, rounded up at a half.
    """
    a, b, c, d = (16 - down) * (16 - right), (16 - down) * right, down * (16 - right), down * right
    for _ in range(rows):
        i = 0
        while i < columns:
            if i + 16 <= columns:
                bilinear_16(target + i, source + i, source + stride + i, a, b, c, d)
                i += 16
            elif i + 8 <= columns:
                bilinear_8(target + i, source + i, source + stride + i, a, b, c, d)
                i += 8
            else:
                bilinear_1(target + i, source + i, source + stride + i, a, b, c, d)
                i += 1
        target += target_stride
        source += stride


@kernel
def blend_row_sse(
    source: Integer, a: Integer, b: Integer, c: Integer, d: Integer, v: Integer, log2_cell: Integer, columns: Integer
) -> Integer:
    """Squared error of row ``v`` of a cell in mode BLEND (spec 7.5), exact.

    ``source`` and ``a`` … ``d`` are addresses: the row, and what the vectors of the upper left, upper right, lower left
    and lower right node move there.
    """
    total = np.int32(0)
    u = 0
    while u < columns:
        if u + 16 <= columns:
            total += blend_16(source + u, a + u, b + u, c + u, d + u, v, u, log2_cell)
            u += 16
        elif u + 4 <= columns:
            total += blend_4(source + u, a + u, b + u, c + u, d + u, v, u, log2_cell)
            u += 4
        else:
            total += blend_1(source + u, a + u, b + u, c + u, d + u, v, u, log2_cell)
            u += 1
    return total


@kernel
def warp_row_sse(
    source: Integer,
    planes: Integer,
    offset: Integer,
    start: tuple[int, int],
    step: tuple[int, int],
    down: Integer,
    layout: tuple[int, int, int, int],
    columns: Integer,
) -> Integer:
    """Squared error of a row of samples whose displacement grows evenly, each looked up at a quarter sample.

    ``source`` and ``planes`` are addresses; ``offset`` is where the first sample lies unmoved in the quarter planes.
    Its displacement, (dy, dx) in quarter samples times 2**``down``, is ``start``, and grows by ``step``.
    """
    total = np.int32(0)
    y, x = start
    step_y, step_x = step
    plane_size, stride = layout[0], layout[1]
    u = 0
    while u < columns:
        if u + 16 <= columns:
            total += warp_16(source + u, planes, offset + u, y, x, step_y, step_x, down, plane_size, stride)
            lanes = 16
        elif u + 4 <= columns:
            total += warp_4(source + u, planes, offset + u, y, x, step_y, step_x, down, plane_size, stride)
            lanes = 4
        else:
            total += warp_1(source + u, planes, offset + u, y, x, step_y, step_x, down, plane_size, stride)
            lanes = 1
        u, y, x = u + lanes, y + lanes * step_y, x + lanes * step_x
    return total
