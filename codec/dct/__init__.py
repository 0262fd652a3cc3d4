"""``dct``: blocks of a quadtree, each predicted, then corrected by an integer transform (spec 10).

What a file says about a picture is `codec.coded.CodedSymbols`; `picture` turns it into samples, by one class for
each stage: `syntax`, `candidates`, `intra`, `inter`, `transform`, `loop_filters`.
"""
