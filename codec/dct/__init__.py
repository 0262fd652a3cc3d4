"""``dct``: blocks of a quadtree, each predicted, then corrected by an integer transform (spec 8.6).

What a file says about a picture is `codec.dct.blocks.CodedBlocks`; `symbols` walks it in both directions, `decode`
turns it into samples, and `search`, which decoders never import, makes it.
"""
