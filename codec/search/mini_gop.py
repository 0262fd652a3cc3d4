"""What the first mini-GOP tells of a GOP: whether B pictures are worth it, and how fine its I picture should be."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from codec.dct.references import coding_order
from codec.picture.colour import eight_bits, luma
from codec.picture.planes import Picture
from codec.search.displacements import looks_like_screen
from codec.search.prediction_weights import faded
from codec.search.source_prediction import block_count, cost_of_predictions, predicted_blocks, prediction_cost

__all__ = ["MINI_GOP", "choose_i_offset", "choose_mini_gop"]

MINI_GOP = 8  # 4 takes 0.7 % more of natural clips, 16 takes 0.9 % more
# What a mini-GOP with B pictures may cost, over the same pictures in their order. Up to 1.17 they take 2…23 % less,
# with a mesh too; from 1.22 to 1.3 1 % less to 4 % more; textures that turn and grow, at 1.4 and 1.6, 4…12 % more.
# Costs of a small error tell that worse: with B pictures much of it is left
WORTH, SMALL_ERROR = 1.19, 16.0
I_OFFSET = -4  # of an I picture's QP, where nothing is known of what others inherit
# What twice as many pictures take off, if they inherit all of it; what a block costs where they inherit nothing
OFFSET_OF_TWICE, NOTHING_INHERITED = -1.4, 9.0
FINEST, COARSEST = -5, -2  # at −6 akiyo would take 0.4 % less at equal PSNR-YUV, and 1…2 % more at equal PSNR-Y
LEAST_PICTURES = 5  # of a GOP of which that is asked


def choose_mini_gop(pictures: Sequence[Picture]) -> int:
    """8, or 1 where pictures are so unlike those far from them that B pictures would not make up for that.

    The first mini-GOP says that for all, or the one in the middle of what fades in, by what its pictures cost from the
    sources that would be references in either order.
    """
    if len(pictures) < 3 or are_screens(pictures):
        return 1
    begins_flat, bit_depth = looks_like_screen(luma(pictures[0])), pictures[0].format.bit_depth
    first = max(len(pictures) - MINI_GOP, 1) // 2 if begins_flat else 0
    planes = [luma(picture) for picture in pictures[first : first + MINI_GOP + 1]]

    @functools.cache
    def predicted(number: int, reference: int) -> npt.NDArray[np.uint8]:
        wanted = planes[number]
        return predicted_blocks(wanted, faded(wanted, planes[reference], bit_depth))

    def cost(mini_gop: int) -> float:
        return sum(
            cost_of_predictions(
                planes[place.number],
                [predicted(place.number, reference) for reference in place.references],
                SMALL_ERROR,
            )
            for place in coding_order(0, len(planes), mini_gop, True)[1:]
        )

    return MINI_GOP if cost(MINI_GOP) <= WORTH * cost(1) else 1


def choose_i_offset(pictures: Sequence[Picture]) -> int:
    """What the QP of a GOP's I picture differs by: the finer, the more pictures inherit its error, and the better.

    How well they do is what a picture costs from the ends of the first mini-GOP, in whose middle it is. These are not
    weighted: a picture that fades inherits less. Screens keep what is best for them on average, whatever moves there.
    """
    if len(pictures) < LEAST_PICTURES or are_screens(pictures):
        return I_OFFSET
    after = min(len(pictures) - 1, MINI_GOP)
    first, middle, last = (luma(eight_bits(pictures[number])) for number in (0, after // 2, after))
    cost = prediction_cost(middle, [first, last]) / max(block_count(middle), 1)
    inherited = max(1 - cost / NOTHING_INHERITED, 0)
    return min(max(round(OFFSET_OF_TWICE * inherited * math.log2(len(pictures))), FINEST), COARSEST)


def are_screens(pictures: Sequence[Picture]) -> bool:
    """Whether a GOP looks like a screen where it begins and in its middle: what is black at first may just fade in."""
    return all(looks_like_screen(luma(picture)) for picture in (pictures[0], pictures[len(pictures) // 2]))
