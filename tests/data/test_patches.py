import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseg.data.patches import Foreground, cut_patch, grid, random_origin

sides = st.integers(1, 12)


@st.composite
def sizes_and_patches(draw):
    rank = draw(st.sampled_from([2, 3]))
    return tuple(draw(st.tuples(*[sides] * rank)) for _ in range(2))


@given(sizes_and_patches(), st.sampled_from([(), (3,)]))
def test_a_grid_holds_every_pixel_once(sides, classes):
    size, patch = sides
    numbers = np.arange(1, np.prod(size) + 1).reshape(*size, 1)
    seen = []
    for origin in grid(size, patch):
        image, mask = cut_patch(numbers, np.zeros((*size, *classes), np.uint8), origin, patch)
        assert image.shape == (*patch, 1)
        assert mask.shape == (*patch, *classes)
        seen += image[(mask if not classes else mask[..., 0]) == 0, 0].tolist()
    assert sorted(seen) == numbers.ravel().tolist()


@given(sizes_and_patches(), st.integers(0, 99), st.booleans())
def test_a_random_patch_lies_inside_or_around(sides, seed, centred):
    size, patch = sides
    centre = tuple(side // 2 for side in size) if centred else None
    origin = random_origin(size, patch, np.random.default_rng(seed), centre)
    for o, s, p in zip(origin, size, patch, strict=True):
        assert min(s - p, 0) <= o <= max(s - p, 0)


def test_an_image_lies_anywhere_in_a_larger_patch():
    rng = np.random.default_rng(0)
    origins = {random_origin((3, 9), (5, 4), rng, (1, 8)) for _ in range(60)}
    assert origins == {(-2, 5), (-1, 5), (0, 5)}


@given(st.integers(0, 999), st.sampled_from([(), (4,)]))
def test_a_patch_around_a_pixel_holds_it(seed, front):
    size, patch = (*front, 50, 60), (*front, 8, 8)
    mask = np.zeros(size, np.uint8)
    mask[..., 3, 57], mask[..., 20, 30], mask[..., 10:15, :] = 1, 2, 255
    rng = np.random.default_rng(seed)
    centre = Foreground(mask, len(size)).draw(mask, rng)
    assert mask[centre] in (1, 2)
    origin = random_origin(size, patch, rng, centre)
    assert all(o <= c < o + p for o, c, p in zip(origin, centre, patch, strict=True))


def test_every_pixel_of_the_foreground_is_drawn_equally_often():
    mask = np.array([[[0, 1, 255], [0, 0, 0]], [[2, 0, 1], [255, 0, 254]]], np.uint8)
    rng, foreground = np.random.default_rng(0), Foreground(mask, 3)
    drawn = [foreground.draw(mask, rng) for _ in range(4000)]
    places, counts = np.unique(drawn, axis=0, return_counts=True)
    assert places.tolist() == [[0, 0, 1], [1, 0, 0], [1, 0, 2], [1, 1, 2]]
    assert counts == pytest.approx([1000] * 4, rel=0.1)


def test_foreground_of_overlapping_classes_is_that_of_any_of_them():
    mask = np.array([[[0, 0], [0, 1]], [[1, 1], [255, 0]]], np.uint8)  # Y, X, K
    rng, foreground = np.random.default_rng(0), Foreground(mask, 2)
    assert {foreground.draw(mask, rng) for _ in range(50)} == {(0, 1), (1, 0)}


def test_no_foreground_is_none():
    mask = np.full((2, 3), 255, np.uint8)
    assert Foreground(mask, 2).draw(mask, np.random.default_rng(0)) is None


def test_outside_is_mirrored_and_ignored():
    image = np.array([[1, 2, 3], [4, 5, 6]])[..., None]
    mask = np.array([[0, 1, 2], [0, 1, 2]], np.uint8)
    shown, learnt = cut_patch(image, mask, (-1, 1), (3, 4))
    assert shown[..., 0].tolist() == [[5, 6, 5, 4], [2, 3, 2, 1], [5, 6, 5, 4]]
    assert learnt.tolist() == [[255] * 4, [1, 2, 255, 255], [1, 2, 255, 255]]


@given(sizes_and_patches(), st.integers(0, 9), st.integers(0, 9))
def test_what_is_mirrored_is_what_numpy_mirrors(sides, before, after):
    size, _ = sides
    image = np.arange(np.prod(size)).reshape(*size, 1)
    origin, patch = (-before,) * len(size), tuple(before + s + after for s in size)
    shown, _ = cut_patch(image, np.zeros(size, np.uint8), origin, patch)
    widths = [(before, after)] * len(size) + [(0, 0)]
    assert np.array_equal(shown, np.pad(image, widths, mode="reflect"))


def test_few_planes_are_mirrored_again_and_again():
    planes = np.arange(3).reshape(3, 1, 1, 1)
    shown, learnt = cut_patch(planes, np.zeros((3, 1, 1, 2), np.uint8), (-3, 0, 0), (9, 1, 1))
    assert shown.ravel().tolist() == [1, 2, 1, 0, 1, 2, 1, 0, 1]
    assert learnt[:, 0, 0].tolist() == [[255, 255]] * 3 + [[0, 0]] * 3 + [[255, 255]] * 3


def test_a_patch_inside_is_no_copy():
    image, mask = np.zeros((4, 5, 6, 2), np.uint8), np.zeros((4, 5, 6), np.uint8)
    shown, learnt = cut_patch(image, mask, (0, 1, 2), (4, 4, 4))
    assert np.shares_memory(shown, image)
    assert np.shares_memory(learnt, mask)
