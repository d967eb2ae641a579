"""Bands give what the whole gives, number by number, wherever it is cut."""

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from kerasseg import postprocess
from kerasseg.errors import UserError
from kerasseg.postprocess import streaming

shapes = array_shapes(min_dims=2, max_dims=2, max_side=14) | array_shapes(min_dims=3, max_dims=3, max_side=7)
classes = st.sampled_from([0, 0, 1, 1, 1, 2, 255])
masks = arrays(np.uint8, shapes, elements=classes)
blobs = arrays(np.uint8, shapes, elements=st.sampled_from([1, 1, 1, 1, 1, 1, 1, 0]))
cuts = st.sets(st.integers(1, 13))


def banded(mask, cuts):
    return np.split(mask, [cut for cut in sorted(cuts) if cut < len(mask)])


def streamed(method, mask, cuts, *beside, **arguments):
    into = np.full(mask.shape, -7, np.int32)
    count = streaming.STREAMED[method](iter(banded(mask, cuts)), into, *beside, **arguments)
    assert count == into.max()
    return into


@settings(deadline=None)
@given(masks, cuts, st.integers(0, 4), st.booleans(), st.booleans())
def test_components_in_bands_are_those_of_the_whole(mask, cuts, smallest, fill, diagonal):
    how = {"smallest": smallest, "fill": fill, "diagonal": diagonal}
    np.testing.assert_array_equal(streamed("components", mask, cuts, **how), postprocess.labels(mask, **how))


@settings(deadline=None)
@given(masks | blobs, cuts, st.integers(0, 4), st.booleans(), st.integers(1, 4))
def test_the_watershed_in_bands_is_that_of_the_whole(mask, cuts, smallest, fill, distance):
    how = {"smallest": smallest, "fill": fill, "distance": distance}
    np.testing.assert_array_equal(
        streamed("watershed", mask, cuts, **how), postprocess.watershed(mask, **how)
    )


@settings(deadline=None)
@given(masks | blobs, cuts, st.integers(0, 4), st.booleans(), st.sampled_from([0.02, 0.15, 0.5]), st.data())
def test_the_deep_watershed_in_bands_is_that_of_the_whole(mask, cuts, smallest, fill, depth, data):
    landscape = data.draw(arrays(np.uint8, mask.shape, elements=st.integers(0, 254)))
    summit = data.draw(st.sampled_from([0.0, 0.3, 0.7]))
    how = {"smallest": smallest, "fill": fill, "depth": depth, "summit": summit}
    np.testing.assert_array_equal(
        streamed("deep_watershed", mask, cuts, landscape, **how),
        postprocess.deep_watershed(mask, landscape, **how),
    )


@settings(deadline=None, max_examples=20)
@given(masks, cuts, st.integers(0, 4), st.booleans())
def test_boundaries_in_bands_are_those_of_the_whole(mask, cuts, smallest, fill):
    how = {"smallest": smallest, "fill": fill}
    np.testing.assert_array_equal(streamed("boundary", mask, cuts, **how), postprocess.boundary(mask, **how))


@settings(deadline=None)
@given(
    masks,
    cuts,
    st.tuples(st.integers(0, 4), st.integers(0, 4)),
    st.booleans(),
    st.none() | st.integers(0, 3) | st.tuples(st.none(), st.integers(0, 2)),
    st.sampled_from([None, (1,), (2,)]),
)
def test_numbers_by_size_in_bands_are_those_of_the_whole(mask, cuts, smallest, in_planes, largest, only):
    how = {"smallest": smallest, "in_planes": in_planes, "largest": largest, "only": only}
    np.testing.assert_array_equal(streamed("by_size", mask, cuts, **how), postprocess.by_size(mask, **how))


def test_bands_take_the_arguments_of_the_whole():
    assert set(streaming.STREAMED) == set(postprocess.INSTANCES)
    for method, banded in streaming.STREAMED.items():
        assert keywords(banded) == keywords(postprocess.INSTANCES[method]), method


def keywords(function):
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}


def test_arms_that_meet_in_the_last_band_are_one_object():
    mask = np.array([[1, 0, 1, 0, 2], [1, 0, 1, 0, 2], [1, 1, 1, 0, 2]], np.uint8)
    assert streamed("components", mask, {1, 2}).tolist() == [
        [1, 0, 1, 0, 2],
        [1, 0, 1, 0, 2],
        [1, 1, 1, 0, 2],
    ]


def test_classes_that_touch_across_a_seam_stay_two():
    mask = np.array([[1, 1], [2, 2], [255, 1]], np.uint8)
    assert streamed("components", mask, {1, 2}).tolist() == [[1, 1], [2, 2], [0, 3]]


def test_labels_are_written_to_a_file_a_band_at_a_time(tmp_path):
    mask = (np.random.default_rng(0).random((60, 40)) > 0.4).astype(np.uint8)
    into = np.memmap(tmp_path / "labels", np.int32, "w+", shape=mask.shape)
    streaming.labels(iter(banded(mask, {7, 8, 30})), into, smallest=5, fill=True)
    np.testing.assert_array_equal(into, postprocess.labels(mask, smallest=5, fill=True))


def test_no_more_than_a_band_is_read_or_written_at_once():
    mask = (np.random.default_rng(0).random((60, 40)) > 0.4).astype(np.uint8)
    into = Watched(mask.shape)
    streaming.labels(banded(mask, {10, 20, 30, 40, 50}), into, smallest=5)
    assert into.most == 10
    np.testing.assert_array_equal(into.pixels, postprocess.labels(mask, smallest=5))


class Watched:
    """A store that notes how many rows are asked for."""

    def __init__(self, shape):
        self.shape, self.pixels, self.most = shape, np.zeros(shape, np.int32), 0

    def __getitem__(self, rows):
        self.most = max(self.most, rows.stop - rows.start)
        return self.pixels[rows].copy()

    def __setitem__(self, rows, values):
        self.most = max(self.most, rows.stop - rows.start)
        self.pixels[rows] = values


@pytest.mark.parametrize("method", streaming.STREAMED)
@pytest.mark.parametrize("height", [4, 6])
def test_bands_that_are_not_the_whole_are_refused(method, height):
    mask = np.ones((5, 3), np.uint8)
    beside = (mask,) if method == "deep_watershed" else ()
    with pytest.raises(UserError, match=r"bands of 5 rows .* were given for labels of"):
        streaming.STREAMED[method](banded(mask, {2}), np.zeros((height, 3), np.int32), *beside)
