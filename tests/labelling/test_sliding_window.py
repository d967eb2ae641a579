"""Cores laid side by side are the slide of any size; the paper's window has its grid; nothing leaks."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kerasseg.errors import UserError
from kerasseg.labelling.sliding_window import BEYOND, SlidingWindow

sides = st.integers(1, 400)
ROW = np.arange(1, 8, dtype=np.uint8).reshape(1, 7, 1)


def sliding(size, tile=128, margin=4, padding="zero", region=None, test_region=None):
    """Slide the paper's window, or another."""
    return SlidingWindow(
        size=size, tile=tile, margin=margin, padding=padding, region=region, test_region=test_region
    )


def together(window, row, cut):
    """Lay the cores of a row of tiles side by side: (rows, X, C); 0 where no tile was cut."""
    core = row[0].core[0]
    band = np.zeros((core.stop - core.start, window.size[1], cut[0].shape[-1]), cut[0].dtype)
    for tile, pixels in zip(row, cut, strict=True):
        band[:, tile.core[1]] = pixels[tile.inner]
    return band


def names(window, part=None):
    return [window.name(tile) for tile in itertools.chain(*window.rows) if part in (None, window.part(tile))]


@pytest.mark.parametrize(
    ("padding", "expected"),
    [
        ("zero", [[0, 1, 2, 3, 4, 5], [4, 5, 6, 7, 0, 0]]),
        ("edge", [[1, 1, 2, 3, 4, 5], [4, 5, 6, 7, 7, 7]]),
        ("reflect", [[2, 1, 2, 3, 4, 5], [4, 5, 6, 7, 6, 5]]),
    ],
)
def test_by_eye(padding, expected):
    window = sliding((1, 7), tile=6, margin=1, padding=padding)
    (row,) = window.rows
    assert [tile[1, :, 0].tolist() for tile in window.cut(ROW, row)] == expected


@given(sides, sides, st.sampled_from([(128, 4), (128, 0), (33, 7), (64, 25)]), st.sampled_from(BEYOND))
@example(1, 1, (128, 4), "zero")
@example(120, 121, (128, 4), "reflect")
@example(127, 400, (128, 4), "edge")
@settings(deadline=None, max_examples=40)
def test_cores_laid_side_by_side_are_the_slide(height, width, sizes, padding):
    slide = np.random.default_rng(0).integers(0, 2**16, (height, width, 2), np.uint16)
    window = sliding((height, width), *sizes, padding)
    bands = []
    for row in window.rows:
        cut = window.cut(slide, row)
        assert {tile.shape for tile in cut} == {(sizes[0], sizes[0], 2)}
        bands.append(together(window, row, cut))
    np.testing.assert_array_equal(np.concatenate(bands), slide)


def test_every_size_up_to_400_is_covered_once_by_cores():
    for length in range(1, 401):
        (row,) = sliding((1, length)).rows
        cores = [tile.core[1] for tile in row]
        assert [core.start for core in cores] == list(range(0, length, 120))
        assert [core.stop for core in cores] == [*range(120, length, 120), length]


def test_the_papers_slide_has_its_85_x_59_tiles_and_the_partial_row_and_column_that_it_drops():
    window = sliding((7162, 10231))
    assert window.tiling.grid == (59 + 1, 85 + 1)
    assert len(names(window)) == 60 * 86
    whole = [
        tile.index
        for tile in itertools.chain(*window.rows)
        if tile.core[0].stop - tile.core[0].start == tile.core[1].stop - tile.core[1].start == 120
    ]
    assert whole == list(itertools.product(range(59), range(85)))


def test_names_are_of_one_width_and_in_the_order_of_the_grid():
    assert names(sliding((9, 6), tile=4, margin=0)) == [
        *("000-000", "000-001", "001-000", "001-001", "002-000", "002-001")
    ]
    many = names(sliding((1, 1001), tile=1, margin=0))
    assert (many[0], many[-1]) == ("0000-0000", "0000-1000")


def test_a_region_cuts_the_tiles_whose_cores_lie_in_it():
    window = sliding((20, 20), tile=6, margin=1, region=(3, 4, 10, 12))
    assert names(window) == ["001-001", "001-002", "001-003", "002-001", "002-002", "002-003"]
    slide = np.arange(1, 401, dtype=np.uint16).reshape(20, 20, 1)
    for row in window.rows:
        band = together(window, row, window.cut(slide, row))
        rows = row[0].core[0]
        np.testing.assert_array_equal(band[:, 4:16], slide[rows, 4:16])
        assert not band[:, :4].any()
        assert not band[:, 16:].any()


def test_tiles_that_see_pixels_of_both_sides_are_of_no_part():
    window = sliding((4, 24), tile=6, margin=1, padding="zero", test_region=(0, 12, 4, 12))
    assert [(name, window.part(tile)) for name, tile in zip(names(window), window.rows[0], strict=True)] == [
        ("000-000", "train"),
        ("000-001", "train"),
        ("000-002", ""),  # its core ends at 12, its margin sees one test pixel
        ("000-003", ""),
        ("000-004", "test"),
        ("000-005", "test"),
    ]


def test_mirrored_pixels_are_seen_where_they_come_from():
    parts = {}
    for padding in BEYOND:  # the last tile's core is pixel 9, which is mirrored at itself: 9, 8, 7 ... 1
        window = sliding((4, 10), tile=9, margin=0, padding=padding, test_region=(0, 0, 4, 9))
        parts[padding] = window.part(window.rows[0][-1])
    assert parts == {"zero": "train", "edge": "train", "reflect": ""}


@given(st.integers(30, 90), st.integers(1, 89), st.sampled_from(BEYOND))
@settings(deadline=None, max_examples=60)
def test_no_training_tile_holds_a_pixel_of_a_test_tile(width, border, padding):
    border = min(border, width - 1)
    slide = np.zeros((20, width, 1), np.uint8)
    slide[:, :border], slide[:, border:] = 1, 2
    try:
        window = sliding((20, width), 12, 2, padding, test_region=(0, border, 20, width - border))
    except UserError:
        return  # too narrow a test region for a tile
    for row in window.rows:
        for tile, pixels in zip(row, window.cut(slide, row), strict=True):
            held = set(np.unique(pixels).tolist()) - {0}
            assert held == {"train": {1}, "test": {2}, "": {1, 2}}[window.part(tile)]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"tile": 0}, "tile 0, margin 4: expected"),
        ({"tile": 8, "margin": 4}, "a tile of at least 9"),
        ({"margin": -1}, "margin -1"),
        ({"padding": "reflekt"}, "did you mean 'reflect'"),
        ({"padding": "inside"}, "unknown padding 'inside'"),
        ({"region": (0, 0, 301, 10)}, r"region \(0, 0, 301, 10\).*300 pixels high and 200 wide"),
        ({"region": (0, -1, 10, 10)}, "inside the slide"),
        ({"test_region": (0, 0, 0, 10)}, "at least one pixel"),
        ({"test_region": (0, 0, 10)}, "expected .y, x, height, width."),
        ({"region": (10, 10, 100, 100)}, "no core of a tile, 120 pixels wide, lies in it"),
        ({"region": (0, 0, 120, 200), "test_region": (120, 0, 180, 200)}, "shares more with region"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong, told):
    with pytest.raises(UserError, match=told):
        sliding((300, 200), **wrong)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(UserError) as told:
        sliding((300, 200), tile=0, padding="none", region=(0, 0, 999, 1))
    assert len(told.value.messages) == 3
