"""Bands joined along their seams, for every way to connect neighbours."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from kerasseg.errors import UserError
from kerasseg.postprocess import pieces
from kerasseg.postprocess.components import CONNECTIVITIES, connected

images = array_shapes(min_dims=2, max_dims=2, max_side=12) | array_shapes(min_dims=3, max_dims=3, max_side=6)
values = arrays(np.uint32, images, elements=st.sampled_from([0, 0, 1, 2, 4, 9]))
cuts = st.sets(st.integers(1, 11))


def numbered(image, cuts, connectivity, delta):
    into = np.full(image.shape, -7, np.int32)
    bands = np.split(image, [cut for cut in sorted(cuts) if cut < len(image)])
    found = pieces.write(bands, into, connectivity, delta)
    for _ in found.renumber(into, np.arange(1, found.count + 1)):
        pass
    return into, found


@settings(deadline=None)
@given(values, cuts, st.integers(0, 2), st.sampled_from([0, 1, 2, 5]))
def test_bands_are_the_whole_however_neighbours_are_connected(image, cuts, choice, delta):
    choices = CONNECTIVITIES[image.ndim]
    connectivity = choices[choice % len(choices)]
    into, found = numbered(image, cuts, connectivity, delta)
    whole = connected(image, connectivity, delta)
    np.testing.assert_array_equal(into, whole)
    assert found.object_sizes().tolist() == np.bincount(whole.ravel(), minlength=1)[1:].tolist()
    first = [
        image.ravel()[np.flatnonzero(whole.ravel() == number)[0]] for number in range(1, whole.max() + 1)
    ]
    assert found.object_values().tolist() == first


@settings(deadline=None, max_examples=50)
@given(values, st.integers(0, 2), st.sampled_from([0, 1, 2, 5]))
def test_the_whole_is_what_its_neighbours_say(image, choice, delta):
    """The judge compares every pixel with every neighbour, and joins them one by one."""
    choices = CONNECTIVITIES[image.ndim]
    connectivity = choices[choice % len(choices)]
    most = {4: 1, 8: 2, 6: 1, 18: 2, 26: 3}[connectivity]
    steps = [
        step for step in itertools.product((-1, 0, 1), repeat=image.ndim) if 0 < np.abs(step).sum() <= most
    ]
    expected = np.where(image > 0, np.arange(1, image.size + 1).reshape(image.shape), 0)
    while True:
        before = expected.copy()
        for here, step in itertools.product(np.ndindex(image.shape), steps):
            there = tuple(np.add(here, step))
            if min(there) < 0 or np.any(np.array(there) >= image.shape) or not (image[here] and image[there]):
                continue
            if abs(int(image[here]) - int(image[there])) <= delta:
                expected[here] = min(expected[here], expected[there])
        if (before == expected).all():
            break
    _, expected = np.unique(np.append(0, expected), return_inverse=True)
    np.testing.assert_array_equal(connected(image, connectivity, delta), expected[1:].reshape(image.shape))


def test_values_connect_in_chains_where_they_differ_by_no_more_than_delta():
    image = np.array([[10, 20, 30, 0, 90, 10]], np.uint16)
    assert connected(image, 8, delta=10).tolist() == [[1, 1, 1, 0, 2, 3]]


def test_a_high_band_is_worked_on_in_parts(monkeypatch):
    image = (np.random.default_rng(0).random((40, 8, 9)) > 0.6).astype(np.uint8)
    monkeypatch.setattr(pieces, "PART", 200)
    into, found = numbered(image, set(), 18, 0)
    assert len(found.rows) == 20
    np.testing.assert_array_equal(into, connected(image, 18))


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_masks_that_are_read_only_are_read(tmp_path, mode):
    mask = np.array([[[1, 0, 1]], [[1, 1, 1]]], np.uint8)
    np.save(tmp_path / "mask.npy", mask)
    mapped = np.load(tmp_path / "mask.npy", mmap_mode=mode)
    into, _ = numbered(mapped, {1}, 6, 0)
    assert into.tolist() == connected(mapped, 6).tolist() == [[[1, 0, 1]], [[1, 1, 1]]]


def test_sizes_do_not_wrap_at_32_bits(monkeypatch):
    large = pieces.PixelCounts(np.array([2**32 - 1]), np.array([1], np.uint8))
    monkeypatch.setattr(pieces, "count_pixels", lambda *_: large)
    _, found = numbered(np.ones((4, 1, 1), np.uint8), {1, 2, 3}, 6, 0)
    assert found.object_sizes().tolist() == [4 * (2**32 - 1)]


def test_bands_that_are_not_the_whole_are_refused():
    with pytest.raises(UserError, match=r"bands of 2 rows in all were given for labels of \(3, 4\)"):
        pieces.write([np.ones((2, 4), np.uint8)], np.zeros((3, 4), np.int32), 4)
