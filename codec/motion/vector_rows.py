"""Rows and tiles of samples as vector instructions: the one place with explicit vector code.

Plain loops vectorise only in part: index wrap-around, promotion to 64 bits and alias checks stand in the way.
What is emitted is LLVM's generic vector operations, which it turns into what the processor has.
A 16×16 sum of squared errors takes 12 ns so, and 230 ns as a plain loop.
Samples are found by address: an array as argument of a kernel is counted atomically, which made a search twice as slow.
Nothing checks an address, so a search bounds its vectors before it looks.
`test_kernels` holds each of these against numpy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from codec.kernels import Integer, kernel

__all__ = ["address", "blend_row_sse", "rectangle_sse", "warp_row_sse"]

_BYTE, _WORD, _LONG = ir.IntType(8), ir.IntType(32), ir.IntType(64)


def _address() -> Any:
    """An intrinsic (array) → where its first sample lies, int64; whoever asks keeps the array alive."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.ptrtoint(data, _LONG)

    @intrinsic
    def address(typing_context, array):  # type: ignore[no-untyped-def]
        return types.int64(array), generate

    return address


def _load(builder: Any, place: Any, lanes: int) -> Any:
    """Samples from an address on, widened to 32 bits."""
    samples = builder.load(builder.inttoptr(place, ir.VectorType(_BYTE, lanes).as_pointer()))
    samples.align = 1
    return builder.zext(samples, ir.VectorType(_WORD, lanes))


def _sum_of_squares(builder: Any, errors: list[Any]) -> Any:
    """Σ error² of a few vectors."""
    total = ir.Constant(errors[0].type, None)
    for error in errors:
        total = builder.add(total, builder.mul(error, error))
    declare: Any = cgutils.get_or_insert_function
    reduction = ir.FunctionType(_WORD, (total.type,))
    return builder.call(declare(builder.module, reduction, f"llvm.vector.reduce.add.v{total.type.count}i32"), [total])


def _all(builder: Any, word: Any, lanes: int) -> Any:
    """One number in every lane."""
    nothing = ir.Constant(ir.VectorType(_WORD, lanes), ir.Undefined)
    first = builder.insert_element(nothing, word, _WORD(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(nothing.type, None))


def _count(lanes: int) -> Any:
    """The number of each lane, from 0."""
    return ir.Constant(ir.VectorType(_WORD, lanes), list(range(lanes)))


def _tile_sse(rows: int, columns: int) -> Any:
    """An intrinsic (a, a_stride, b, b_stride) → squared error of ``rows`` × ``columns`` samples at two addresses."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, a_stride, b, b_stride = arguments
        errors = []
        for _ in range(rows):
            errors.append(builder.sub(_load(builder, a, columns), _load(builder, b, columns)))
            a, b = builder.add(a, a_stride), builder.add(b, b_stride)
        return _sum_of_squares(builder, errors)

    @intrinsic
    def tile_sse(typing_context, a, a_stride, b, b_stride):  # type: ignore[no-untyped-def]
        return types.int32(*(types.int64,) * 4), generate

    return tile_sse


def _blend_lanes(lanes: int) -> Any:
    """An intrinsic: ``lanes`` samples of `blend_row_sse` from column ``u`` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, *moved, v, u, log2_cell = arguments
        size = builder.shl(_WORD(1), log2_cell)
        right = builder.add(_all(builder, u, lanes), _count(lanes))
        left = builder.sub(_all(builder, size, lanes), right)
        below, above = _all(builder, v, lanes), _all(builder, builder.sub(size, v), lanes)
        total = _all(builder, builder.lshr(builder.mul(size, size), _WORD(1)), lanes)  # a half, for rounding
        for place, across, down in zip(moved, (left, right) * 2, (above, above, below, below), strict=True):
            weighted = builder.mul(_load(builder, place, lanes), builder.mul(across, down))
            total = builder.add(total, weighted)
        shift = _all(builder, builder.shl(log2_cell, _WORD(1)), lanes)
        return _sum_of_squares(builder, [builder.sub(_load(builder, source, lanes), builder.lshr(total, shift))])

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
        offset, y, x, step_y, step_x, down, plane_size, stride = (_all(builder, number, lanes) for number in numbers)
        two, three = _all(builder, _WORD(2), lanes), _all(builder, _WORD(3), lanes)
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
        return _sum_of_squares(builder, [builder.sub(_load(builder, source, lanes), builder.zext(samples, place.type))])

    @intrinsic
    def warp_lanes(  # type: ignore[no-untyped-def]
        typing_context, source, planes, offset, y, x, step_y, step_x, down, plane_size, stride
    ):
        return types.int32(*(types.int64,) * 2, *(types.int32,) * 8), generate

    return warp_lanes


address = _address()
tile_8x16, tile_8x8, tile_4x4, tile_1x1 = _tile_sse(8, 16), _tile_sse(8, 8), _tile_sse(4, 4), _tile_sse(1, 1)
blend_16, blend_4, blend_1 = _blend_lanes(16), _blend_lanes(4), _blend_lanes(1)
warp_16, warp_4, warp_1 = _warp_lanes(16), _warp_lanes(4), _warp_lanes(1)


@kernel
def rectangle_sse(
    a: Integer, a_stride: Integer, b: Integer, b_stride: Integer, rows: Integer, columns: Integer, bound: Integer
) -> Integer:
    """Squared error of two rectangles at addresses ``a`` and ``b``; stops after the rows that reach ``bound``."""
    total = np.int32(0)  # 32 × 32 × 255² at most, below 2**27
    row = 0
    while row < rows and total < bound:
        height = 8 if row + 8 <= rows else 4 if row + 4 <= rows else 1
        i = 0
        while i < columns:
            if height == 8 and i + 16 <= columns:
                total += tile_8x16(a + i, a_stride, b + i, b_stride)
                i += 16
            elif height == 8 and i + 8 <= columns:
                total += tile_8x8(a + i, a_stride, b + i, b_stride)
                i += 8
            elif height == 4 and i + 4 <= columns:
                total += tile_4x4(a + i, a_stride, b + i, b_stride)
                i += 4
            else:
                for j in range(height):
                    total += tile_1x1(a + j * a_stride + i, a_stride, b + j * b_stride + i, b_stride)
                i += 1
        row += height
        a += height * a_stride
        b += height * b_stride
    return total


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
    layout: tuple[int, int, int],
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
