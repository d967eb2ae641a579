"""Polygons along the corners of pixels are filled as pycocotools fills them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseg.annotations.corners import as_pixels, fill
from kerasseg.annotations.shapes import CORNER_POLYGON, Shape

SIZE = (12, 15)


def filled(*polygons, size=SIZE):
    masks = np.zeros((len(polygons), *size), bool)
    for mask, pixels in zip(
        masks, fill([np.array(polygon, float) for polygon in polygons], size), strict=True
    ):
        if pixels:
            mask[pixels[1]] = pixels[0]
    return masks


def test_a_square_has_the_area_of_its_corners():
    (square,) = filled([[1, 1], [4, 1], [4, 3], [1, 3]], size=(4, 5))
    assert square.astype(int).tolist() == [[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]]


def test_what_lies_outside_is_cut_off_and_less_than_a_pixel_is_nothing():
    outside, thin = filled([[-9, -9], [2, -9], [2, 99], [-9, 99]], [[1, 1], [1.3, 1], [1.3, 9], [1, 9]])
    assert outside.sum() == 2 * SIZE[0]
    assert not thin.any()


coordinates = st.one_of(
    st.integers(-4, 18), st.integers(-8, 36).map(lambda twice: twice / 2), st.floats(-4, 18, width=32)
)
polygons = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=8)


@settings(max_examples=300, deadline=None)
@given(st.lists(polygons, min_size=1, max_size=4))
def test_every_pixel_is_that_of_pycocotools(several):
    peer = pytest.importorskip("pycocotools.mask")
    flat = [np.ravel(polygon).tolist() for polygon in several]
    expected = np.moveaxis(peer.decode(peer.frPyObjects(flat, *SIZE)), 2, 0)
    assert np.array_equal(filled(*several), expected == 1)


def test_shapes_of_pixels_stay_and_those_without_pixels_go():
    points = np.array([[0.0, 0], [3, 0], [0, 3]])
    shapes = [
        Shape("a", points),
        Shape("b", points * 0.1, CORNER_POLYGON),
        Shape("c", points, CORNER_POLYGON),
    ]
    first, second = as_pixels(shapes, SIZE)
    assert first is shapes[0]
    assert (second.label, second.shape_type) == ("c", "mask")
