"""The motion compensation's sum of 8×8 samples as vector instructions; see `codec.vector_kernels`."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from codec.vector_kernels import emit_sum

__all__ = ["sum_8x8"]

_BYTE, _HALF, _WORD, _LONG = (ir.IntType(bits) for bits in (8, 16, 32, 64))


def _vector(kind: Any, lanes: int) -> Any:
    return ir.VectorType(kind, lanes)


def _constant(kind: Any, lanes: int, value: float) -> Any:
    return ir.Constant(_vector(kind, lanes), [value] * lanes)


def _typed(builder: Any, place: Any, kind: Any) -> Any:
    """A pointer to ``kind`` of an address."""
    return builder.inttoptr(place, kind.as_pointer())


def _load(builder: Any, place: Any, kind: Any, lanes: int) -> Any:
    vector = builder.load(_typed(builder, place, _vector(kind, lanes)))
    vector.align = 1
    return vector


def _sum_8x8() -> Any:
    """An intrinsic (place, stride, down, across): Σ down[j] · across[i] · sample, of 8×8 samples.

    ``down`` and ``across`` are addresses of eight int16 taps. Sums down must fit 16 bits, whatever the samples are.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place, stride, down, across = arguments
        halves, words = _vector(_HALF, 8), _vector(_WORD, 8)
        total = _constant(_HALF, 8, 0)
        for k in range(8):
            tap = builder.load(_typed(builder, builder.add(down, _LONG(2 * k)), _HALF))
            splat = builder.insert_element(ir.Constant(halves, ir.Undefined), tap, _WORD(0))
            splat = builder.shuffle_vector(splat, splat, ir.Constant(words, None))
            samples = builder.zext(_load(builder, place, _BYTE, 8), halves)
            total = builder.add(total, builder.mul(splat, samples))
            place = builder.add(place, stride)
        taps = builder.sext(_load(builder, across, _HALF, 8), words)
        return emit_sum(builder, builder.mul(builder.sext(total, words), taps))

    @intrinsic
    def sum_of(typing_context, place, stride, down, across):  # type: ignore[no-untyped-def]
        return types.int32(*(types.int64,) * 4), generate

    return sum_of


sum_8x8: Any = _sum_8x8()
