"""Where tiles lie: every pixel is answered for once, by a tile that sees enough around it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseg.errors import UserError
from kerasseg.inference.tiling import Tiling, tiles

shapes = st.lists(st.integers(1, 300), min_size=2, max_size=2) | st.lists(
    st.integers(1, 40), min_size=3, max_size=3
)


def test_by_eye():
    starts = [(tile.source[1].start, tile.core[1].start, tile.core[1].stop) for tile in tiles((4, 10), 6, 1)]
    assert starts == [(0, 0, 5), (4, 5, 10)]


@given(shapes, st.integers(8, 64), st.integers(0, 3), st.sampled_from([1, 2]))
@settings(deadline=None)
def test_cores_cover_every_pixel_once_and_lie_in_their_tiles(shape, tile, overlap, multiple):
    answered = np.zeros(shape, np.uint8)
    tiling = Tiling(tuple(shape), tile, overlap, multiple)
    for each in tiling:
        answered[each.core] += 1
        for source, core, length in zip(each.source, each.core, shape, strict=True):
            assert source.start % multiple == 0
            assert source.start <= core.start - min(overlap, core.start)
            assert min(core.stop + overlap, length) <= source.stop
        assert tuple(part.stop - part.start for part in each.source) == tiling.tile_shape
    assert (answered == 1).all()


@given(shapes, st.integers(8, 64), st.integers(0, 3))
@settings(deadline=None)
def test_a_sliding_window_over_a_padded_image_has_alike_cores(shape, tile, overlap):
    answered = np.zeros(shape, np.uint8)
    for each in Tiling(tuple(shape), tile, overlap, padded=True):
        answered[each.core] += 1
        for number, source, core, length in zip(each.index, each.source, each.core, shape, strict=True):
            assert source.start == number * (tile - 2 * overlap) - overlap
            assert core == slice(source.start + overlap, min(source.stop - overlap, length))
    assert (answered == 1).all()


@given(st.integers(1, 200), st.integers(1, 4), st.integers(0, 40), st.sampled_from([1, 2, 16, 32]))
def test_padded_tiles_have_cores_and_context_whatever_the_stride(length, strides, overlap, multiple_of):
    tile = 2 * overlap + strides * multiple_of  # rounded up, so that tiles share more than the overlap
    (axis,) = Tiling((length,), tile, overlap, multiple_of, padded=True).axes
    assert [pixel for core in axis.cores for pixel in range(length)[core]] == list(range(length))
    for source, core in zip(axis.sources, axis.cores, strict=True):
        assert core.start < core.stop
        assert source.start + overlap <= core.start
        assert core.stop <= source.stop - overlap


def test_a_padded_image_smaller_than_a_tile_is_one_core():
    (axis,) = Tiling((34,), tile=64, overlap=8, multiple_of=32, padded=True).axes
    assert (axis.starts, axis.cores) == ((-8,), [slice(0, 34)])


def test_a_tiling_prints_itself():
    assert str(Tiling((7162, 10231), 128, 4)).startswith(
        "7162 x 10231 pixels in 60 x 86 = 5160 tiles of 128 x 128"
    )


@pytest.mark.parametrize(
    "arguments", [((0, 5), 8, 0), ((5, 5), 0, 0), ((5, 5), 8, -1), ((5, 5), 8, 4), ((5, 5), (8, 8, 8), 0)]
)
def test_what_makes_no_tiling_is_refused(arguments):
    with pytest.raises(UserError):
        Tiling(*arguments)
