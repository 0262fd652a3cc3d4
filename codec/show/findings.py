"""What measured points say, in sentences: nothing is claimed that the points do not show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from codec.measure.curves import Domain, bd_rate, curves_of
from codec.measure.points import PeerPoint, Point, quality_name
from codec.models import MotionModel, ResidualCoder

__all__ = ["bytes_at_equal_mse", "findings"]


def findings(domains: Sequence[Domain]) -> list[str]:
    """Sentences for the head of a report; the first of the domains is that of the source's own samples."""
    _, points, peers = domains[0]
    return [
        *_smallest_files(points),
        *_motion_against(points, MotionModel.BLOCK, MotionModel.NONE),
        *_motion_against(points, MotionModel.MESH, MotionModel.BLOCK),
        *_uint8_against_int8(points),
        *_exact_peers(points, peers),
        *(sentence for domain in domains for sentence in _lossy_peers(domain, is_one=len(domains) == 1)),
    ]


def _smallest_files(points: Sequence[Point]) -> Iterator[str]:
    """The smallest file without error, the smallest of each other coder without error, and the smallest of all."""
    ordered = sorted(points, key=lambda point: point.file_bytes)
    exact: dict[str, Point] = {}
    for point in ordered:
        if point.exact:
            exact.setdefault(point.settings.residual_coder.label, point)
    if not exact:
        yield "No file is exact: every one of them differs from the source somewhere."
    for number, (coder, point) in enumerate(exact.items()):
        if number == 0:
            best = point
            yield f"The smallest exact file {_size(best)}: {_in_words(best)}."
        else:
            yield f"With {coder} the smallest exact file is {point.file_bytes / best.file_bytes:.2f} times as large."
    smallest = ordered[0]
    if not smallest.exact:
        cost = f"MSE {smallest.mse:.3g} per sample (PSNR {smallest.psnr:.1f} dB)"
        yield f"The smallest file of all {_size(smallest)}, at {cost}: {_in_words(smallest)}."


def _size(point: Point) -> str:
    return f"has {point.file_bytes:,} bytes, a ratio of {point.ratio:.2f}"


def _in_words(point: Point) -> str:
    """A point's residual, dial and motion for a sentence."""
    motion = point.settings.motion_model
    dial = f" at {point.dial[0]} {point.dial[1]}" if point.dial else ""
    moved = "without motion" if motion is MotionModel.NONE else f"with {motion.label} motion"
    return f"{point.settings.residual_coder.label}{dial} {moved}"


def _motion_against(points: Sequence[Point], test: MotionModel, anchor: MotionModel) -> Iterator[str]:
    """One motion model against another: exact files as they are, others at equal MSE."""
    parts = []
    for coder in ResidualCoder:
        tested, anchored = (
            [point for point in points if point.curve == f"{coder.label}, {motion.label}"] for motion in (test, anchor)
        )
        if len(tested) == len(anchored) == 1 and tested[0].exact and anchored[0].exact:
            change = tested[0].file_bytes / anchored[0].file_bytes - 1
            parts.append(f"{coder.label} files are {_change(change)}")
            continue
        rated, anchor_rated = ([(p.file_bytes, p.quality) for p in of_motion] for of_motion in (tested, anchored))
        if (found := bd_rate(anchor_rated, rated)).change is not None:
            parts.append(f"{coder.label} files at equal {quality_name(points)} are {_change(found.change)} on average")
        elif (average := bytes_at_equal_mse(tested, anchored)) is not None:
            parts.append(f"{coder.label} files at equal MSE are {_change(average)} on average")
    if parts:
        against = "none" if anchor is MotionModel.NONE else f"{anchor.label} motion"
        yield f"{test.label.capitalize()} motion against {against}: {'; '.join(parts)}."


def _uint8_against_int8(points: Sequence[Point]) -> Iterator[str]:
    """How far files of the two differ at the same step and motion."""
    int8, uint8 = (
        {(p.settings.step, p.settings.motion): p for p in points if p.settings.residual_coder is coder}
        for coder in (ResidualCoder.INT8, ResidualCoder.UINT8)
    )
    pairs = [(point, int8[key]) for key, point in uint8.items() if key in int8]
    if pairs:
        furthest = max(abs(of_uint8.file_bytes / of_int8.file_bytes - 1) for of_uint8, of_int8 in pairs)
        same_error = all(of_uint8.mse == of_int8.mse for of_uint8, of_int8 in pairs)
        sizes = f"differ by at most {100 * furthest:.2f} % in size" if furthest else "are equally large"
        error = ", and have the same MSE" if same_error else ""
        yield f"At the same step and motion, uint8 and int8 files {sizes}{error}."


def _exact_peers(points: Sequence[Point], peers: Sequence[PeerPoint]) -> Iterator[str]:
    """Our smallest exact file beside those of others."""
    exact = [point.file_bytes for point in points if point.exact]
    others = sorted((peer for peer in peers if peer.exact), key=lambda peer: peer.file_bytes)
    if exact and others:
        parts = [f"{min(exact) / peer.file_bytes:.2f} times that of {peer.peer}" for peer in others]
        yield f"Size of our smallest exact file: {'; '.join(parts)}."


def _lossy_peers(domain: Domain, is_one: bool) -> Iterator[str]:
    """Files of ``dct`` with block motion against those of others at equal quality, where that can be said."""
    ours = curves_of(domain.points).get(f"{ResidualCoder.DCT.label}, {MotionModel.BLOCK.label}", [])
    found = {peer: bd_rate(curve, ours).change for peer, curve in curves_of(domain.peers).items()}
    parts = [f"against {peer}: {_change(change)}" for peer, change in found.items() if change is not None]
    if parts:
        where = "" if is_one else f" in {domain.planes_name}"
        quality = quality_name(domain.points)
        yield f"Files of dct with block motion at equal {quality}{where}, on average, {'; '.join(parts)}."


def bytes_at_equal_mse(tested: Sequence[Point], anchored: Sequence[Point]) -> float | None:
    """Mean change of file bytes at equal MSE, such as −0.2 for a fifth fewer.

    Bjøntegaard's measure with straight lines between points: the logarithm of the bytes over that of the MSE,
    averaged over the MSEs that both curves reach.
    None where a curve has fewer than two points with an error, or they share no range.
    """
    curves = []
    for points in (tested, anchored):
        lossy = sorted((point.mse, point.file_bytes) for point in points if not point.exact)
        if len(lossy) < 2:
            return None
        curves.append(np.log(lossy).T)
    low, high = max(mse[0] for mse, _ in curves), min(mse[-1] for mse, _ in curves)
    if low >= high:
        return None
    positions = np.linspace(low, high, 201)
    test, anchor = (np.interp(positions, mse, size) for mse, size in curves)
    return math.exp(float(np.mean(test - anchor))) - 1


def _change(change: float) -> str:
    """A relative change in words."""
    if abs(change) < 0.0005:
        return "equally large (within 0.05 %)"
    return f"{abs(change) * 100:.1f} % {'smaller' if change < 0 else 'larger'}"
