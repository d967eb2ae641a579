import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseg.data.patches import cut, grid, random_origin

sides = st.integers(1, 40)
sizes = st.tuples(sides, sides)


@given(sizes, sizes)
def test_a_grid_holds_every_pixel_once(size, patch):
    numbers = np.arange(1, size[0] * size[1] + 1).reshape(*size, 1)
    seen = []
    for origin in grid(size, patch):
        image, mask = cut(numbers, np.zeros(size, np.uint8), origin, patch)
        assert image.shape == (*patch, 1)
        seen += image[mask == 0, 0].tolist()
    assert sorted(seen) == numbers.ravel().tolist()


@given(sizes, sizes, st.integers(0, 99), st.sampled_from([0.0, 1.0]))
def test_a_random_patch_lies_inside_or_around(size, patch, seed, foreground):
    mask = np.zeros(size, np.uint8)
    mask[size[0] // 2, size[1] // 2] = 1
    origin = random_origin(mask, patch, foreground, np.random.default_rng(seed))
    for o, s, p in zip(origin, size, patch, strict=True):
        assert 0 <= o <= s - p if p <= s else o == (s - p) // 2


@given(st.integers(0, 999))
def test_foreground_patches_hold_foreground(seed):
    mask = np.zeros((50, 60), np.uint8)
    mask[3, 57], mask[20, 30], mask[10:15] = 1, 2, 255
    row, column = random_origin(mask, (8, 8), 1.0, np.random.default_rng(seed))
    patch = mask[row : row + 8, column : column + 8]
    assert ((patch > 0) & (patch < 255)).any()


def test_a_share_of_patches_holds_foreground():
    mask = np.zeros((1000, 1000), np.uint8)
    mask[500, 500] = 1
    rng = np.random.default_rng(0)
    origins = (random_origin(mask, (10, 10), 0.3, rng) for _ in range(400))
    held = [mask[row : row + 10, column : column + 10].any() for row, column in origins]
    assert np.mean(held) == pytest.approx(0.3, abs=0.06)


def test_without_foreground_any_patch_will_do():
    origin = random_origin(np.zeros((9, 9), np.uint8), (3, 3), 1.0, np.random.default_rng(0))
    assert max(origin) <= 6


def test_outside_is_mirrored_and_ignored():
    image = np.array([[1, 2, 3], [4, 5, 6]])[..., None]
    mask = np.array([[0, 1, 2], [0, 1, 2]], np.uint8)
    shown, learnt = cut(image, mask, (-1, 1), (3, 4))
    assert shown[..., 0].tolist() == [[5, 6, 5, 6], [2, 3, 2, 3], [5, 6, 5, 6]]
    assert learnt.tolist() == [[255] * 4, [1, 2, 255, 255], [1, 2, 255, 255]]
