"""B pictures: coded in another order than they are shown in, and back in their own."""

import io

import numpy as np
import pytest
from mutations import Parts
from test_dct import turning

import codec
from codec.models import PictureType
from codec.search.mini_gop import choose_mini_gop


def encoded(pictures, **settings):
    """A file in memory."""
    file = io.BytesIO()
    codec.encode(iter(pictures), file, codec.Settings(residual="dct", qp=24, scene_cut=False, **settings))
    return file


def types(file):
    """I, P and B, in the order in which pictures are shown."""
    return "".join(picture.type.name for picture in codec.open(file).info.pictures)


@pytest.mark.parametrize(
    ("reorder", "run", "expected"),
    [
        (1, None, "IPPPPPPPPPP"),
        (2, None, "IBPBPBPBPBP"),
        (4, None, "IBBBPBBBPBP"),
        (8, None, "IBBBBBBBPBP"),
        (16, None, "IBBBBBBBBBP"),
        (4, 3, "IBPBBPBBPBP"),
        (8, 1, "IPPPPPPPPPP"),
    ],
)
def test_pictures_come_back_in_their_order(moving, reorder, run, expected):
    pictures = [codec.Picture(p.format, p.planes, f"{n}.png") for n, p in enumerate(moving("yuv420", 64, 48, 11))]
    file = encoded(pictures, reorder=reorder, run=run, gop=16)
    assert expected == types(file)
    with codec.open(file) as video:
        decoded = list(video.pictures())
        assert [picture.name for picture in pictures] == [picture.name for picture in decoded]
        for number, (picture, source) in enumerate(zip(decoded, pictures, strict=True)):
            errors = [np.abs(picture.planes[0].astype(int) - other.planes[0]).mean() for other in pictures]
            assert number == int(np.argmin(errors))
            assert errors[number] < 4
            assert source.format.plane_shapes == picture.format.plane_shapes
        for number in (10, 3, 7, 0):
            assert decoded[number].same_samples(video.picture(number))
            assert number == video.inspect(number).number


def test_what_is_seen_inside_of_a_b_picture(moving):
    pictures = moving("gray", 64, 48, 5)
    with codec.open(encoded(pictures, reorder=4)) as video:
        seen = video.inspect(2)
        assert seen.type is PictureType.B
        before, after = seen.references
        assert before.same_samples(video.picture(0))
        assert after.same_samples(video.picture(4))
        blocks = seen.coding_blocks
        assert 3 in blocks.directions
        assert not blocks.second_vectors_quarter_pel[blocks.directions & 2 == 0].any()
        bits = sum(bits.sum() for bits in video.inspect(1).cell_bits.values())
        assert bits != sum(bits.sum() for bits in seen.cell_bits.values())


def test_b_pictures_are_for_what_moves_evenly(moving):
    even, torn = moving("yuv420", 160, 128, 17), turning(17)
    assert choose_mini_gop(even) == 8
    assert choose_mini_gop(torn) == 1
    assert set("IP") == set(types(encoded(torn)))
    assert "B" in types(encoded(even))
    assert len(encoded(even).getvalue()) < 0.95 * len(encoded(even, reorder=1).getvalue())


def test_what_fades_in_from_black_is_no_screen(moving):
    pictures = [
        codec.Picture(picture.format, tuple(plane // 8 * min(number, 8) for plane in picture.planes))
        for number, picture in enumerate(moving("gray", 160, 128, 17))
    ]
    assert not pictures[0].planes[0].any()
    assert choose_mini_gop(pictures) == 8
    assert choose_mini_gop([pictures[0]] * 9) == 1


def test_alpha_needs_the_order_in_which_pictures_come(moving):
    pictures = [np.dstack([*p.planes, p.planes[0]]) for p in moving("rgb", 32, 24, 4)]
    assert types(encoded(pictures)) == "IPPP"
    with pytest.raises(codec.ConfigError, match=r"^reorder is 1 for pictures with alpha, not 4$"):
        encoded(pictures, reorder=4)


@pytest.mark.parametrize(
    ("place", "value", "rule"),
    [
        (6 + 7, 2, "picture 1 of the packet has 2 references; its place in the order of coding implies 1"),
        (6 + 14, 1, "picture 2 of the packet has 1 references; its place in the order of coding implies 2"),
        (-1, 1, "picture 3 of the packet has 2 references; its place in the order of coding implies 1"),
        (-1, 5, "log2_mini_gop is 5; it lies in 0…4"),
    ],
)
def test_pictures_that_do_not_fit_their_place_are_refused(moving, place, value, rule):
    parts = Parts.of(encoded(moving("gray", 16, 16, 4), reorder=4).getvalue())
    (packet,) = parts.pictures()
    packet.head[place] = value
    with pytest.raises(codec.BitstreamError, match=rule):
        list(codec.open(io.BytesIO(parts.build())).pictures())


def test_a_packet_that_points_into_a_lost_one_is_left_out(moving):
    """Of two packets of a GOP the first is damaged: what is whole is the next GOP."""
    data = bytearray(encoded(moving("gray", 32, 24, 12), reorder=4, run=4, gop=8).getvalue())
    start = data.index(b"PICS")
    data[start + 40] ^= 1
    with codec.open(io.BytesIO(bytes(data)), damaged=True) as video:
        assert [number for number, _ in video.whole_pictures()] == [8, 9, 10, 11]
        assert video.damage


def qp_of_i_picture(pictures):
    """The QP of luma of the first picture of a file of QP 24."""
    with codec.open(encoded(pictures, gop=32)) as video:
        return video.inspect(0).qps[0]


def test_an_i_picture_is_finer_where_more_pictures_inherit_it(moving, noise):
    gliding, wild = moving("yuv420", 96, 80, 24), noise("yuv420", 96, 80, 24)
    qps = [qp_of_i_picture(gliding[:count]) for count in (5, 8, 16, 24)]
    assert qps == sorted(qps, reverse=True)
    assert qps[-1] < qps[0]
    assert qps[-1] < qp_of_i_picture(wild)
    assert qp_of_i_picture(gliding[:1]) == qp_of_i_picture(wild[:1]) == 20


def test_an_i_picture_is_as_fine_whatever_the_depth(moving):
    shallow = moving("yuv420", 96, 80, 9)
    deep_format = shallow[0].format.with_depth(12)
    deep = [codec.Picture(deep_format, tuple(plane.astype(np.uint16) << 4 for plane in p.planes)) for p in shallow]
    assert qp_of_i_picture(shallow) == qp_of_i_picture(deep)
