"""Sheets are looked at pixel by pixel, on tiles small enough to count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseg.report import pictures, slide

AMBER = list(pictures.PREDICTED)


def plain(value, height=8, width=8):
    return np.full((height, width, 3), value, np.uint8)


@given(count=st.integers(1, 23), columns=st.integers(1, 10), side=st.integers(4, 40))
def test_every_tile_lies_in_its_own_place_and_paper_between(count, columns, side):
    tiles = [plain(at + 1, side, side) for at in range(count)]
    drawn = slide.sheet(tiles, columns=columns, side=side)
    step, rows = side + slide.GAP, -(-count // columns)
    assert drawn.shape == (rows * step - slide.GAP, columns * step - slide.GAP, 3)
    seen = [
        drawn[y : y + side, x : x + side]
        for y in range(0, rows * step, step)
        for x in range(0, columns * step, step)
    ]
    assert all((part == at + 1).all() for at, part in enumerate(seen[:count]))
    assert (drawn < 255).all(axis=-1).sum() == count * side * side


def test_a_dark_tile_stays_dark_beside_a_bright_one():
    noise = np.random.default_rng(3).integers(0, 4, (16, 16, 1)).astype(np.uint16)
    bright = np.linspace(0, 4000, 256).astype(np.uint16).reshape(16, 16, 1)
    limits = slide.contrast([noise, bright])
    assert pictures.display(noise, limits).max() < 2
    assert pictures.display(bright, limits).max() == 255
    assert pictures.display(noise).max() == 255  # by its own range it would look like cells


def test_a_black_slide_is_black():
    black = np.zeros((8, 8, 1), np.uint8)
    assert not pictures.display(black, slide.contrast([black, black])).any()


def test_two_channels_keep_a_contrast_each():
    tile = np.stack([np.arange(64).reshape(8, 8), 100 * np.arange(64).reshape(8, 8)], axis=-1).astype(
        np.uint16
    )
    picture = pictures.display(tile, slide.contrast([tile]))
    assert picture[-1, -1].tolist() == [255, 255, 255]


def test_a_small_tile_is_enlarged_by_whole_pixels_and_a_large_one_shrunk():
    small = np.arange(4, dtype=np.uint8).reshape(2, 2, 1).repeat(3, axis=2)
    assert slide.framed(small, None, 5)[..., 0].tolist() == [
        [0, 0, 1, 1],
        [0, 0, 1, 1],
        [2, 2, 3, 3],
        [2, 2, 3, 3],
    ]
    assert slide.framed(plain(9, 200, 100), None, 20).shape == (20, 10, 3)


def test_a_mask_is_outlined_inside_itself():
    mask = np.zeros((8, 8), np.uint8)
    mask[2:6, 2:6] = 1
    drawn = slide.framed(plain(0), mask, 8)
    amber = (drawn == AMBER).all(axis=-1)
    assert amber.sum() == 12  # the border of 4 x 4 pixels
    assert amber[2, 2:6].all()
    assert not amber[3:5, 3:5].any()


@pytest.mark.parametrize("number", [1, 254, 255, 256, 508, 70000])
def test_an_instance_of_any_number_is_outlined(number):
    labels = np.zeros((8, 8), np.int32)
    labels[2:5, 2:5] = number
    assert (slide.framed(plain(0), labels, 8) == AMBER).all(axis=-1).sum() == 8


def test_instances_that_touch_are_told_apart():
    labels = np.ones((8, 8), np.int32)
    labels[:, 4:] = 2
    assert (slide.framed(plain(0), labels, 8) == AMBER).all(axis=-1)[:, 4].all()


def test_a_caption_stands_below_its_tile():
    bare, told = (
        slide.sheet([plain(0, 64, 64)] * 3, captions=words, columns=2, side=64)
        for words in ((), ["003-017", "", ""])
    )
    assert told.shape[0] - bare.shape[0] == 2 * slide.LINE
    line = told[64 : 64 + slide.LINE]
    assert line[:, :64].min() < 150
    assert line[:, 64:].min() == 255


def test_embeddings_are_pictured_by_least_greatest_and_deviation():
    embeddings = np.zeros((2, 1, 2, 2), np.float32)
    embeddings[1, 0, 1] = [3, 5]
    seen = slide.embedding_pictures(embeddings)
    assert list(seen) == ["min", "max", "deviation"]
    for picture in seen.values():
        assert picture.shape == (2, 1, 2, 3)
        assert picture[..., 0].tolist() == [[[0, 0]], [[0, 255]]]
