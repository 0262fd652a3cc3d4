"""What blocks of a transform coder do again and again, as vector instructions; see `codec.vector_kernels`.

A 32×32 transform takes 3 µs so, and 14 µs as plain loops; the Hadamard sum of 8×8 samples 20 ns, and 150 ns.
Everything is found by address, and nothing is checked: callers keep to blocks that lie inside their arrays.
`test_kernels` holds each of these against numpy.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from codec.kernels import Integer, Real, inner_kernel
from codec.vector_kernels import emit_all, emit_load, emit_room, emit_sum

__all__ = [
    "add_product",
    "differences",
    "eight_taps_across",
    "eight_taps_down",
    "four_tap_lanes",
    "hadamard_8x8",
    "integer_product",
    "occupancy",
    "real_product",
    "sum_8x8",
]

_BYTE, _HALF, _WORD, _LONG, _REAL = *(ir.IntType(bits) for bits in (8, 16, 32, 64)), ir.FloatType()
_ROW = 32  # numbers from one row of a block of coefficients to the next, whatever its side


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


def _store(builder: Any, vector: Any, place: Any) -> None:
    builder.store(vector, _typed(builder, place, vector.type)).align = 1


def _clipped(builder: Any, words: Any, lanes: int) -> Any:
    """0…255 as bytes."""
    low, high = _constant(_WORD, lanes, 0), _constant(_WORD, lanes, 255)
    words = builder.select(builder.icmp_signed("<", words, low), low, words)
    words = builder.select(builder.icmp_signed(">", words, high), high, words)
    return builder.trunc(words, _vector(_BYTE, lanes))


def _product(lanes: int, kind: Any, to_samples: bool) -> Any:
    """An intrinsic (a, a_down, a_right, b, depth, target, target_row, rows, down): rows of a matrix product.

    target[i, :lanes] = Σ_k a[i · a_down + k · a_right] · b[k, :lanes], with 4-byte numbers at addresses.
    Of whole numbers the sum is rounded and shifted ``down``; then, with ``to_samples``, added to the bytes at target.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, a_down, a_right, b, depth, target, target_row, rows, down = arguments
        total = emit_room(builder, _vector(kind, lanes))
        if kind is _REAL:
            start, shift = _constant(_REAL, lanes, 0.0), None
        else:
            word_down = builder.trunc(down, _WORD)
            start = emit_all(builder, builder.shl(_WORD(1), builder.sub(word_down, _WORD(1))), lanes)
            shift = emit_all(builder, word_down, lanes)
        with cgutils.for_range(builder, rows) as row:
            builder.store(start, total)
            line = builder.add(a, builder.mul(builder.mul(row.index, a_down), _LONG(4)))
            with cgutils.for_range(builder, depth) as k:
                number = builder.load(
                    _typed(builder, builder.add(line, builder.mul(builder.mul(k.index, a_right), _LONG(4))), kind)
                )
                others = _load(builder, builder.add(b, builder.mul(k.index, _LONG(4 * _ROW))), kind, lanes)
                if kind is _REAL:
                    product = builder.fmul(_all_reals(builder, number, lanes), others, flags=("fast",))
                    builder.store(builder.fadd(builder.load(total), product, flags=("fast",)), total)
                else:
                    product = builder.mul(emit_all(builder, number, lanes), others)
                    builder.store(builder.add(builder.load(total), product), total)
            result = builder.load(total)
            place = builder.add(target, builder.mul(row.index, target_row))
            if shift is not None:
                result = builder.ashr(result, shift)
            if to_samples:
                result = _clipped(builder, builder.add(result, emit_load(builder, place, lanes)), lanes)
            _store(builder, result, place)
        return context.get_dummy_value()

    @intrinsic
    def product(  # type: ignore[no-untyped-def]
        typing_context, a, a_down, a_right, b, depth, target, target_row, rows, down
    ):
        return types.void(*(types.int64,) * 9), generate

    return product


def _all_reals(builder: Any, real: Any, lanes: int) -> Any:
    nothing = ir.Constant(_vector(_REAL, lanes), ir.Undefined)
    first = builder.insert_element(nothing, real, _WORD(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(_vector(_WORD, lanes), None))


def _differences(lanes: int) -> Any:
    """An intrinsic (a, a_stride, b, b_stride, target): float32 differences of ``lanes`` × ``lanes`` samples."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, a_stride, b, b_stride, target = arguments
        with cgutils.for_range(builder, _LONG(lanes)) as row:
            left = emit_load(builder, builder.add(a, builder.mul(row.index, a_stride)), lanes)
            right = emit_load(builder, builder.add(b, builder.mul(row.index, b_stride)), lanes)
            reals = builder.sitofp(builder.sub(left, right), _vector(_REAL, lanes))
            _store(builder, reals, builder.add(target, builder.mul(row.index, _LONG(4 * _ROW))))
        return context.get_dummy_value()

    @intrinsic
    def differences_of(typing_context, a, a_stride, b, b_stride, target):  # type: ignore[no-untyped-def]
        return types.void(*(types.int64,) * 5), generate

    return differences_of


def _occupancy(lanes: int) -> Any:
    """An intrinsic (x, threshold, energy): 64 · the last row + the last column with |x| ≥ threshold, or −1.

    ``x`` is the address of ``lanes`` × ``lanes`` float32; Σ x² goes to the float32 at ``energy``.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, threshold, energy = arguments
        bits = ir.IntType(lanes)
        total, columns = emit_room(builder, _vector(_REAL, lanes)), emit_room(builder, bits)
        last_row = emit_room(builder, _LONG)
        builder.store(_constant(_REAL, lanes, 0.0), total)
        builder.store(bits(0), columns)
        builder.store(_LONG(-1), last_row)
        least = _all_reals(builder, builder.fmul(threshold, threshold), lanes)
        with cgutils.for_range(builder, _LONG(lanes)) as row:
            reals = _load(builder, builder.add(x, builder.mul(row.index, _LONG(4 * _ROW))), _REAL, lanes)
            squares = builder.fmul(reals, reals)
            builder.store(builder.fadd(builder.load(total), squares), total)
            there = builder.bitcast(builder.fcmp_ordered(">=", squares, least), bits)
            builder.store(builder.or_(builder.load(columns), there), columns)
            is_there = builder.icmp_unsigned("!=", there, bits(0))
            builder.store(builder.select(is_there, row.index, builder.load(last_row)), last_row)
        declare: Any = cgutils.get_or_insert_function
        add_up = ir.FunctionType(_REAL, [_REAL, _vector(_REAL, lanes)])
        reduce = declare(builder.module, add_up, f"llvm.vector.reduce.fadd.v{lanes}f32")
        sum_ = builder.call(reduce, [_REAL(0.0), builder.load(total)], fastmath=("fast",))
        builder.store(sum_, _typed(builder, energy, _REAL))
        count_type = ir.FunctionType(_LONG, [_LONG, ir.IntType(1)])
        leading = declare(builder.module, count_type, "llvm.ctlz.i64")
        zeros = builder.call(leading, [builder.zext(builder.load(columns), _LONG), ir.IntType(1)(0)])
        row_number = builder.load(last_row)
        packed = builder.add(builder.mul(row_number, _LONG(64)), builder.sub(_LONG(63), zeros))
        return builder.select(builder.icmp_signed("<", row_number, _LONG(0)), row_number, packed)

    @intrinsic
    def occupancy_of(typing_context, x, threshold, energy):  # type: ignore[no-untyped-def]
        return types.int64(types.int64, types.float32, types.int64), generate

    return occupancy_of


def _hadamard(builder: Any, rows: list[Any]) -> list[Any]:
    """Eight vectors, transformed across the vectors."""
    for step in (4, 2, 1):
        mixed = list(rows)
        for i in range(8):
            if not i & step:
                mixed[i] = builder.add(rows[i], rows[i + step])
                mixed[i + step] = builder.sub(rows[i], rows[i + step])
        rows = mixed
    return rows


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Eight vectors of eight, rows and columns exchanged: three times every vector is zipped with the one 4 on."""
    low, high = (
        ir.Constant(_vector(_WORD, 8), [first + lane for lane in range(4) for first in (start, 8 + start)])
        for start in (0, 4)
    )
    for _ in range(3):
        pairs = [(rows[i], rows[i + 4]) for i in range(4)]
        rows = [builder.shuffle_vector(a, b, half) for a, b in pairs for half in (low, high)]
    return rows


def _hadamard_8x8() -> Any:
    """An intrinsic (a, a_stride, b, c, stride): Σ |Hadamard transform| of 8×8 differences.

    Of the samples at ``a`` from the means of those at ``b`` and ``c``, rounded up at a half.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, a_stride, b, c, stride = arguments
        halves, one = _vector(_HALF, 8), _constant(_HALF, 8, 1)
        rows = []
        for _ in range(8):
            first, second, third = (builder.zext(_load(builder, place, _BYTE, 8), halves) for place in (a, b, c))
            mean = builder.lshr(builder.add(builder.add(second, third), one), one)
            rows.append(builder.sub(first, mean))
            a, b, c = builder.add(a, a_stride), builder.add(b, stride), builder.add(c, stride)
        rows = _hadamard(builder, _transposed(builder, _hadamard(builder, rows)))
        declare: Any = cgutils.get_or_insert_function
        absolute = declare(builder.module, ir.FunctionType(halves, [halves, ir.IntType(1)]), "llvm.abs.v8i16")
        total = _constant(_WORD, 8, 0)  # |values| reach 16320: sums of two fit 16 bits, sums of eight do not
        for row in rows:
            total = builder.add(total, builder.zext(builder.call(absolute, [row, ir.IntType(1)(0)]), total.type))
        return emit_sum(builder, total)

    @intrinsic
    def hadamard(typing_context, a, a_stride, b, c, stride):  # type: ignore[no-untyped-def]
        return types.int32(*(types.int64,) * 5), generate

    return hadamard


def _four_tap_lanes(lanes: int) -> Any:
    """An intrinsic (target, target_stride, place, stride, rows, down, across): samples between samples.

    ``down`` and ``across`` are addresses of four int32 taps, each with sum 64, for lines −1…2 around each sample.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, target_stride, place, stride, rows, down, across = arguments

        def taps(start: Any) -> list[Any]:
            places = [builder.add(start, _LONG(4 * k)) for k in range(4)]
            return [emit_all(builder, builder.load(_typed(builder, place, _WORD)), lanes) for place in places]

        down_taps, across_taps = taps(down), taps(across)
        with cgutils.for_range(builder, rows) as row:
            total = _constant(_WORD, lanes, 2048)
            line = builder.add(place, builder.mul(builder.sub(row.index, _LONG(1)), stride))
            for down_tap in down_taps:
                filtered = _constant(_WORD, lanes, 0)
                for i, tap in enumerate(across_taps):
                    samples = emit_load(builder, builder.add(line, _LONG(i - 1)), lanes)
                    filtered = builder.add(filtered, builder.mul(tap, samples))
                total = builder.add(total, builder.mul(down_tap, filtered))
                line = builder.add(line, stride)
            result = _clipped(builder, builder.ashr(total, _constant(_WORD, lanes, 12)), lanes)
            _store(builder, result, builder.add(target, builder.mul(row.index, target_stride)))
        return context.get_dummy_value()

    @intrinsic
    def four_taps(typing_context, target, target_stride, place, stride, rows, down, across):  # type: ignore[no-untyped-def]
        return types.void(*(types.int64,) * 7), generate

    return four_taps


def _eight_taps(from_samples: bool) -> Any:
    """An intrinsic (target, place, step, taps, count): Σ tap · number, of eight numbers ``step`` bytes apart.

    For 16 · ``count`` places in a row. Of samples to int16; or of int16 to samples, rounded, shifted 12 and clipped.
    Products of what is known to have 16 bits take a third of the time of others.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, place, step, taps, count = arguments
        halves, words = _vector(_HALF, 16), _vector(_WORD, 16)
        weights = []
        for k in range(8):
            tap = builder.trunc(builder.load(_typed(builder, builder.add(taps, _LONG(4 * k)), _WORD)), _HALF)
            splat = builder.insert_element(ir.Constant(halves, ir.Undefined), tap, _WORD(0))
            splat = builder.shuffle_vector(splat, splat, ir.Constant(words, None))
            weights.append(splat if from_samples else builder.sext(splat, words))
        source_bytes, target_bytes = (1, 2) if from_samples else (2, 1)
        with cgutils.for_range(builder, count) as loop:
            there = builder.add(place, builder.mul(loop.index, _LONG(16 * source_bytes)))
            total = _constant(_HALF, 16, 0) if from_samples else _constant(_WORD, 16, 2048)
            for weight in weights:
                if from_samples:
                    numbers = builder.zext(_load(builder, there, _BYTE, 16), halves)
                else:
                    numbers = builder.sext(_load(builder, there, _HALF, 16), words)
                total = builder.add(total, builder.mul(weight, numbers))
                there = builder.add(there, step)
            if not from_samples:
                total = _clipped(builder, builder.ashr(total, _constant(_WORD, 16, 12)), 16)
            _store(builder, total, builder.add(target, builder.mul(loop.index, _LONG(16 * target_bytes))))
        return context.get_dummy_value()

    @intrinsic
    def eight_taps(typing_context, target, place, step, taps, count):  # type: ignore[no-untyped-def]
        return types.void(*(types.int64,) * 5), generate

    return eight_taps


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


hadamard_8x8: Any = _hadamard_8x8()
sum_8x8: Any = _sum_8x8()
eight_taps_across, eight_taps_down = _eight_taps(True), _eight_taps(False)
four_tap_16, four_tap_8, four_tap_4, four_tap_2 = (_four_tap_lanes(lanes) for lanes in (16, 8, 4, 2))
real_4, real_8, real_16, real_32 = (_product(lanes, _REAL, False) for lanes in (4, 8, 16, 32))
word_4, word_8, word_16, word_32 = (_product(lanes, _WORD, False) for lanes in (4, 8, 16, 32))
add_4, add_8, add_16, add_32 = (_product(lanes, _WORD, True) for lanes in (4, 8, 16, 32))
differences_4, differences_8, differences_16, differences_32 = (_differences(lanes) for lanes in (4, 8, 16, 32))
occupancy_4, occupancy_8, occupancy_16, occupancy_32 = (_occupancy(lanes) for lanes in (4, 8, 16, 32))


@inner_kernel
def four_tap_lanes(
    target: Integer,
    target_stride: Integer,
    place: Integer,
    stride: Integer,
    rows: Integer,
    columns: Integer,
    down: Integer,
    across: Integer,
) -> None:
    """Fill a rectangle, an even number of columns wide, with samples between those around ``place``."""
    i = 0
    while i < columns:
        if i + 16 <= columns:
            four_tap_16(target + i, target_stride, place + i, stride, rows, down, across)
            i += 16
        elif i + 8 <= columns:
            four_tap_8(target + i, target_stride, place + i, stride, rows, down, across)
            i += 8
        elif i + 4 <= columns:
            four_tap_4(target + i, target_stride, place + i, stride, rows, down, across)
            i += 4
        else:
            four_tap_2(target + i, target_stride, place + i, stride, rows, down, across)
            i += 2


@inner_kernel
def differences(side: Integer, a: Integer, a_stride: Integer, b: Integer, b_stride: Integer, target: Integer) -> None:
    """float32 differences of two blocks of ``side`` × ``side`` samples, 32 numbers a row."""
    if side == 4:
        differences_4(a, a_stride, b, b_stride, target)
    elif side == 8:
        differences_8(a, a_stride, b, b_stride, target)
    elif side == 16:
        differences_16(a, a_stride, b, b_stride, target)
    else:
        differences_32(a, a_stride, b, b_stride, target)


@inner_kernel
def occupancy(side: Integer, x: Integer, threshold: Real, energy: Integer) -> Integer:
    """64 · the last row + the last column with |x| ≥ ``threshold``, or −1; and Σ x² at ``energy``."""
    if side == 4:
        return occupancy_4(x, threshold, energy)
    if side == 8:
        return occupancy_8(x, threshold, energy)
    if side == 16:
        return occupancy_16(x, threshold, energy)
    return occupancy_32(x, threshold, energy)


@inner_kernel
def real_product(side: Integer, a: Integer, b: Integer, target: Integer) -> None:
    """``a`` · ``b`` of ``side`` × ``side`` float32, 32 numbers a row."""
    if side == 4:
        real_4(a, 32, 1, b, 4, target, 128, 4, 0)
    elif side == 8:
        real_8(a, 32, 1, b, 8, target, 128, 8, 0)
    elif side == 16:
        real_16(a, 32, 1, b, 16, target, 128, 16, 0)
    else:
        real_32(a, 32, 1, b, 32, target, 128, 32, 0)


@inner_kernel
def integer_product(
    columns: Integer, a: Integer, b: Integer, depth: Integer, target: Integer, rows: Integer, down: Integer
) -> None:
    """The transpose of ``a`` · ``b``, ``depth`` deep, rounded and shifted down: int32 (``rows``, ≥ ``columns``)."""
    if columns <= 4:
        word_4(a, 1, 32, b, depth, target, 128, rows, down)
    elif columns <= 8:
        word_8(a, 1, 32, b, depth, target, 128, rows, down)
    elif columns <= 16:
        word_16(a, 1, 32, b, depth, target, 128, rows, down)
    else:
        word_32(a, 1, 32, b, depth, target, 128, rows, down)


@inner_kernel
def add_product(
    side: Integer, a: Integer, b: Integer, depth: Integer, target: Integer, stride: Integer, down: Integer
) -> None:
    """Add ``a`` · ``b``, ``depth`` deep, rounded and shifted down, to ``side`` × ``side`` samples, and clip."""
    if side == 4:
        add_4(a, 32, 1, b, depth, target, stride, 4, down)
    elif side == 8:
        add_8(a, 32, 1, b, depth, target, stride, 8, down)
    elif side == 16:
        add_16(a, 32, 1, b, depth, target, stride, 16, down)
    else:
        add_32(a, 32, 1, b, depth, target, stride, 32, down)
