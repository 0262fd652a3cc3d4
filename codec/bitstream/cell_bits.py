"""Where in the pictures of a packet its bytes go, cell by cell: estimates that add up to the packet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.bitstream.schema import StreamId
from codec.bitstream.shares import COMPONENT_OF, block_bits
from codec.coded import (
    CellMode,
    CodedPicture,
    CodedSymbols,
    Residuals,
    SequenceHeader,
    mesh_differences,
    symbols_of_levels,
    z_of,
)
from codec.lossless.tables import context_model
from codec.models import MotionModel

__all__ = ["CellBits", "block_places", "cell_bits", "share_nodes", "sum_over_cells"]

Costs = npt.NDArray[np.float64]  # (pictures, cell rows, cell columns)
StreamCosts = Iterator[tuple[StreamId, Costs]]
"""What the symbols of each stream cost."""


class CellBits(NamedTuple):
    """Estimated bits of each cell of each picture of a packet; headers are not in it."""

    by_component: dict[str, Costs]
    spread_evenly: tuple[str, ...]
    """Components with streams of which nothing is known but their size, so that every cell gets the same of them."""


def cell_bits(
    header: SequenceHeader,
    pictures: Sequence[CodedPicture],
    residuals: Sequence[tuple[Residuals, ...]],
    blocks: Sequence[npt.NDArray[np.int32]],
    alphas: Sequence[tuple[Residuals, ...]],
    stream_bytes: dict[StreamId, int],
) -> CellBits:
    """Spread the bytes of a packet's streams over its cells.

    The bytes of each stream are spread by what its symbols would cost in an ideal code that knows how often each
    comes in the packet.
    ``residuals`` has, of the lossless coder, those of every plane of every picture; ``blocks``, of ``dct``, the coding
    blocks of every picture as `codec.reconstruct.BlockTrace` has them, and ``alphas`` residuals of alpha, none where it
    is not coded.
    """
    unknown = dict(stream_bytes)
    shape = (len(pictures), *header.cell_shape)
    bits: dict[str, Costs] = {}

    def spread(stream: StreamId, count: int, costs: Costs) -> None:
        """Add a stream's bits by costs; evenly where all of them are 0."""
        weights = costs if costs.sum() > 0 else np.ones(shape)
        component = COMPONENT_OF[stream]
        bits[component] = bits.get(component, np.zeros(shape)) + 8 * count * (weights / weights.sum())

    for stream, costs in (
        *_motion_costs(header, pictures),
        *_block_costs(header, pictures, blocks),
        *(_lossless_costs(header, residuals) if residuals else _level_costs(header, pictures)),
        *_alpha_costs(header, alphas),
    ):
        spread(stream, unknown.pop(stream, 0), costs)
    even = {stream: count for stream, count in unknown.items() if COMPONENT_OF[stream] != "headers"}
    for stream, count in even.items():
        spread(stream, count, np.ones(shape))
    return CellBits(bits, tuple(sorted({COMPONENT_OF[stream] for stream in even})))


def sum_over_cells(samples: npt.NDArray[np.float64], header: SequenceHeader) -> npt.NDArray[np.float64]:
    """Sums of a plane's values over the cells of the picture, float64 (cell rows, cell columns)."""
    rows, columns = header.cell_shape
    # of a subsampled plane a cell has fewer samples; an odd side is rounded up
    side_y = header.cell_size >> (samples.shape[0] < header.format.height)
    side_x = header.cell_size >> (samples.shape[1] < header.format.width)
    padded = np.zeros((rows * side_y, columns * side_x))
    padded[: samples.shape[0], : samples.shape[1]] = samples
    total: npt.NDArray[np.float64] = padded.reshape(rows, side_y, columns, side_x).sum(axis=(1, 3))
    return total


def _symbol_costs(symbols: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """−log₂ of how often each symbol comes among all of them, shaped as the symbols are."""
    counts = np.bincount(symbols.ravel())
    costs: npt.NDArray[np.float64] = -np.log2(np.maximum(counts, 1) / max(symbols.size, 1))[symbols]
    return costs


def _motion_costs(header: SequenceHeader, pictures: Sequence[CodedPicture]) -> StreamCosts:
    """What vectors and modes cost; a node's vector is shared by the cells around it."""
    fields = {number: picture.field for number, picture in enumerate(pictures) if picture.field is not None}
    residuals = {number: picture.residual for number, picture in enumerate(pictures)}
    meshes = {n: of.mesh for n, of in residuals.items() if isinstance(of, CodedSymbols) and of.mesh is not None}
    if not fields and not meshes:
        return
    if meshes:  # of dct
        nodes = z_of(mesh_differences(list(meshes.values()))).astype(np.int64)
    else:
        nodes = np.stack([z_of(field.differences()) for field in fields.values()]).astype(np.int64)
    own = [z_of(field.own_differences()).astype(np.int64).ravel() for field in fields.values()]
    costs = _symbol_costs(np.concatenate([nodes.ravel(), *own]))
    vectors, modes = (np.zeros((len(pictures), *header.cell_shape)) for _ in range(2))
    is_block = header.motion is MotionModel.BLOCK
    for number, at_nodes in zip(meshes or fields, costs[: nodes.size].reshape(nodes.shape).sum(axis=-1), strict=True):
        vectors[number] = at_nodes if is_block else share_nodes(at_nodes)
    of_own = np.split(costs[nodes.size :], np.cumsum([part.size for part in own])[:-1]) if fields else []
    for (number, field), at_own in zip(fields.items(), of_own, strict=True):
        if at_own.size:
            vectors[number][field.modes == CellMode.OWN] += at_own.reshape(-1, 2).sum(axis=-1)
    yield StreamId.VECTORS, vectors
    if fields and header.motion is MotionModel.MESH:
        modes[list(fields)] = _symbol_costs(np.stack([field.modes for field in fields.values()]).astype(np.int64))
        yield StreamId.MODES, modes


def share_nodes(of_nodes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What is at nodes, dealt to cells: a quarter to each around, more at the edge of the grid, where fewer are."""
    rows, columns = (np.full(side, 2.0) for side in of_nodes.shape)
    rows[[0, -1]] = columns[[0, -1]] = 1
    part = of_nodes / rows[:, None] / columns
    cells: npt.NDArray[np.float64] = part[:-1, :-1] + part[:-1, 1:] + part[1:, :-1] + part[1:, 1:]
    return cells


def _block_costs(
    header: SequenceHeader, pictures: Sequence[CodedPicture], blocks: Sequence[npt.NDArray[np.int32]]
) -> StreamCosts:
    """What the coding blocks of ``dct`` cost, stream by stream."""
    residual = pictures[0].residual
    if not isinstance(residual, CodedSymbols):
        return
    ends = np.cumsum([len(of_picture) for of_picture in blocks])
    for stream, bits in block_bits(residual.symbols).items():
        parts = np.split(bits, ends[:-1])
        costs = [_blocks_over_cells(part, of, header) for part, of in zip(parts, blocks, strict=True)]
        yield stream, np.stack(costs)


def block_places(blocks: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Top, left and side of coding blocks in luma samples, int64 (blocks, 3); they may reach beyond the picture."""
    return np.column_stack([8 * blocks[:, :2].astype(np.int64), 1 << blocks[:, 2].astype(np.int64)])


def _blocks_over_cells(
    of_blocks: npt.NDArray[np.float64], blocks: npt.NDArray[np.int32], header: SequenceHeader
) -> npt.NDArray[np.float64]:
    """What belongs to coding blocks, dealt evenly to their samples inside the picture, summed over cells."""
    samples = np.zeros((header.format.height, header.format.width))
    for bits, (top, left, side) in zip(of_blocks, block_places(blocks).tolist(), strict=True):
        inside = samples[top : top + side, left : left + side]
        inside[...] = bits / inside.size
    return sum_over_cells(samples, header)


def _level_costs(header: SequenceHeader, pictures: Sequence[CodedPicture]) -> StreamCosts:
    """What the levels of the coders in the sample domain cost, of all planes together."""
    residuals = [picture.residual for picture in pictures if isinstance(picture.residual, tuple)]
    if not residuals:
        return
    total = np.zeros((len(pictures), *header.cell_shape))
    for symbols in symbols_of_levels(header, residuals):
        parts = symbols.view(np.uint8).reshape(*symbols.shape, symbols.itemsize).astype(np.int64)
        costs = sum(_symbol_costs(parts[..., byte]) for byte in range(parts.shape[-1]))
        total += np.stack([sum_over_cells(plane, header) for plane in np.asarray(costs)])
    yield StreamId.RESIDUAL, total


def _lossless_costs(header: SequenceHeader, residuals: Sequence[tuple[Residuals, ...]]) -> StreamCosts:
    """What the context substreams cost; a symbol's frequency is that among symbols with similar neighbours."""
    total = np.zeros((len(residuals), *header.cell_shape))
    for plane in zip(*residuals, strict=True):
        is_deep = plane[0].itemsize > 1
        left = np.stack(plane) if is_deep else (np.stack(plane) - np.uint8(128)).view(np.int8)
        z, model = z_of(left), context_model(is_deep)
        symbols = model.symbol_of[z].astype(np.int64)
        levels = np.stack(
            [_activity_levels(of_picture, model.thresholds) for of_picture in model.meanings[symbols] >> 8 & 255]
        )
        costs = _symbol_costs(256 * levels + symbols) - _symbol_costs(levels) + model.raw_bits[symbols]
        total += np.stack([sum_over_cells(of_picture, header) for of_picture in costs])
    yield StreamId.CONTEXT_SUBSTREAMS, total


def _alpha_costs(header: SequenceHeader, alphas: Sequence[tuple[Residuals, ...]]) -> StreamCosts:
    """The same of alpha beside ``dct``."""
    coded = [residuals for residuals in alphas if residuals]
    if coded:
        ((_, costs),) = _lossless_costs(header, coded)
        total = np.zeros((len(alphas), *header.cell_shape))
        total[[bool(residuals) for residuals in alphas]] = costs
        yield StreamId.ALPHA_SUBSTREAMS, total


def _activity_levels(magnitudes: npt.NDArray[np.int64], thresholds: Sequence[int]) -> npt.NDArray[np.int64]:
    """How much goes on around each sample, as the coder sees it but for what lies beyond the edges."""
    rows, columns = magnitudes.shape
    near = np.pad(magnitudes, 2)

    def at(dy: int, dx: int) -> npt.NDArray[np.int64]:
        return near[2 + dy : 2 + dy + rows, 2 + dx : 2 + dx + columns]

    activity = 3 * (at(-1, 0) + at(0, -1)) + 2 * (at(-1, -1) + at(-1, 1) + at(-2, 0) + at(0, -2))
    return np.searchsorted(np.array(thresholds), activity, side="right").astype(np.int64)
