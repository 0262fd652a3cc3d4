"""What the first mini-GOP tells of a GOP: whether B pictures are worth it, and how fine its I picture should be."""

from __future__ import annotations

import math
from collections.abc import Sequence

from codec.picture.colour import eight_bits, luma
from codec.picture.planes import Picture
from codec.search.displacements import looks_like_screen
from codec.search.prediction_weights import faded
from codec.search.source_prediction import block_count, prediction_cost

__all__ = ["MINI_GOP", "choose_i_offset", "choose_mini_gop"]

MINI_GOP = 8  # 4 takes 0.7 % more of natural clips, 16 takes 0.9 % more
# What the two pictures that all others of a mini-GOP hang on may cost together, over what one costs from the picture
# before: natural clips reach 3.1…3.9 and take 2…28 % less with B pictures; a camera in a fast car 4.3, and takes 17 %
# more; a texture that turns by 1.2° a picture 8.3, and 39 % more. With a mesh less: it helps from the picture before
WORTH, WORTH_WITH_MESH = 4.1, 3.3
I_OFFSET = -4  # of an I picture's QP, where nothing is known of what others inherit
# What twice as many pictures take off, if they inherit all of it; what a block costs where they inherit nothing
OFFSET_OF_TWICE, NOTHING_INHERITED = -1.4, 9.0
FINEST, COARSEST = -5, -2  # at −6 akiyo would take 0.4 % less at equal PSNR-YUV, and 1…2 % more at equal PSNR-Y
LEAST_PICTURES = 5  # of a GOP of which that is asked


def choose_mini_gop(pictures: Sequence[Picture], has_mesh: bool) -> int:
    """8, or 1 where pictures are so unlike those far from them that B pictures would not make up for that.

    The first mini-GOP says that for all: its P picture and the B picture in its middle, by the logarithms of errors
    after motion compensation from the sources that would be references.
    """
    if len(pictures) < 3 or looks_like_screen(luma(pictures[0])):
        return 1
    after = min(len(pictures) - 1, MINI_GOP)
    middle, bit_depth = after // 2, pictures[0].format.bit_depth

    def cost(number: int, *references: int) -> float:
        """Of a picture from one other, or from two."""
        wanted = luma(pictures[number])
        others = [faded(wanted, luma(pictures[reference]), bit_depth) for reference in references]
        return prediction_cost(wanted, others)

    in_order = (cost(after, after - 1) + cost(middle, middle - 1)) / 2
    worth = WORTH_WITH_MESH if has_mesh else WORTH
    return MINI_GOP if cost(after, 0) + cost(middle, 0, after) <= worth * in_order else 1


def choose_i_offset(pictures: Sequence[Picture]) -> int:
    """What the QP of a GOP's I picture differs by: the finer, the more pictures inherit its error, and the better.

    How well they do is what a picture costs from the ends of the first mini-GOP, in whose middle it is. These are not
    weighted: a picture that fades inherits less. Screens keep what is best for them on average, whatever moves there.
    """
    if len(pictures) < LEAST_PICTURES or looks_like_screen(luma(pictures[0])):
        return I_OFFSET
    after = min(len(pictures) - 1, MINI_GOP)
    first, middle, last = (luma(eight_bits(pictures[number])) for number in (0, after // 2, after))
    cost = prediction_cost(middle, [first, last]) / max(block_count(middle), 1)
    inherited = max(1 - cost / NOTHING_INHERITED, 0)
    return min(max(round(OFFSET_OF_TWICE * inherited * math.log2(len(pictures))), FINEST), COARSEST)
