"""Pictures into files of other formats and back, as many tests write and read them."""

from fractions import Fraction

import numpy as np

from codec.picture.planes import Picture
from codec.picture.sinks import open_sink
from codec.picture.sources import open_source


def random_pictures(picture_format, count=3, seed=0):
    """Pictures of independent random samples, without names."""
    random, dtype = np.random.default_rng(seed), picture_format.dtype
    shapes = picture_format.plane_shapes
    return [
        Picture(picture_format, tuple(random.integers(0, picture_format.peak + 1, shape, dtype) for shape in shapes))
        for _ in range(count)
    ]


def write(target, pictures, rate=Fraction(25), **options):
    """Write all pictures; returns the sink, which says what it lost."""
    with open_sink(target, pictures[0].format, rate, **options) as sink:
        for picture in pictures:
            sink.write(picture)
    assert len(pictures) == sink.count
    return sink


def read(spec, **options):
    """The pictures of a source."""
    with open_source(spec, **options) as source:
        return list(source)


def same(pictures, others):
    """Whether two sequences are equally long and have the same samples."""
    return len(pictures) == len(others) and all(map(Picture.same_samples, pictures, others))


def everything_in(folder):
    """Names of all files and folders below a folder, sorted."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def names_in(folder):
    """Names of the files and folders in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())
