"""Outlines along the corners of pixels, judged by shapely."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.measure import points_in_poly

from kerasseg.annotations.rings import (
    IMAGEJ,
    JAVA,
    fill_rings,
    filled_shape,
    refilled,
    shape_polygons,
    trace_rings,
)
from kerasseg.annotations.shapes import Shape
from kerasseg.annotations.trace import label_shapes

MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9))


def as_shapely(polygons):
    return shapely.MultiPolygon([shapely.Polygon(rim, holes) for rim, *holes in polygons])


def all_rings(polygons):
    return [ring for rings in polygons for ring in rings]


def blobs(seed, size=40):
    noise = np.random.default_rng(seed).normal(size=(size, size))
    smooth = ndimage.gaussian_filter(noise, 2.5)
    return smooth > 0.3 * smooth.std()


def test_one_pixel_is_a_square():
    mask = np.zeros((3, 4), bool)
    mask[1, 2] = True
    ((rim,),) = trace_rings(mask)
    assert rim.tolist() == [[2, 1], [3, 1], [3, 2], [2, 2]]


def test_holes_and_parts():
    mask = np.array([[1, 1, 1, 0, 1], [1, 0, 1, 0, 0], [1, 1, 1, 0, 1]], bool)
    ring, *others = trace_rings(mask)
    assert [len(polygon) for polygon in (ring, *others)] == [2, 1, 1]
    assert ring[1].tolist() == [[1, 1], [1, 2], [2, 2], [2, 1]]


@pytest.mark.parametrize(
    "rows",
    [
        ["#.", ".#"],
        ["###", "#.#", "##."],  # its ends touch by a corner and enclose a pixel
        ["####", "#.##", "##.#", "####"],  # two holes touch by a corner
        ["#####", "##.##", "#.#.#", "##.##", "#####"],  # holes around a pixel of the object
    ],
)
def test_what_touches_by_a_corner_stays_valid(rows):
    mask = np.array([[letter == "#" for letter in row] for row in rows])
    polygons = as_shapely(trace_rings(mask))
    assert polygons.is_valid
    assert polygons.area == mask.sum()


@settings(deadline=None, max_examples=100)
@given(MASKS)
def test_outlines_are_valid_and_hold_the_very_pixels(mask):
    polygons = trace_rings(mask)
    judge = as_shapely(polygons)
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]] + 0.5
    assert judge.is_valid
    assert np.array_equal(shapely.contains_xy(judge, x.ravel(), y.ravel()).reshape(mask.shape), mask)
    for rule in (JAVA, IMAGEJ):
        assert np.array_equal(fill_rings(all_rings(polygons), mask.shape, rule), mask)
    assert len(polygons) == ndimage.label(mask)[1]
    for rim, *holes in polygons:
        assert shapely.LinearRing(rim).is_ccw  # by mathematics' y upwards; clockwise on the screen
        assert not any(shapely.LinearRing(hole).is_ccw for hole in holes)


@settings(deadline=None, max_examples=100)
@given(hnp.arrays(np.float64, (5, 2), elements=st.integers(-40, 140).map(lambda tenth: tenth / 10)))
def test_pixels_are_those_whose_centres_an_odd_number_of_rings_goes_around(corners):
    ring = corners + np.array([0.013, 0.017])  # no centre on an edge
    y, x = np.mgrid[:9, :9] + 0.5
    inside = points_in_poly(np.stack([x, y], axis=-1).reshape(-1, 2), ring).reshape(9, 9)
    assert np.array_equal(fill_rings([ring], (9, 9)), inside)


def test_rules_differ_where_centres_lie_on_edges():
    diamond = np.array([[2.0, 0], [4, 2], [2, 4], [0, 2]])
    java, imagej = (fill_rings([diamond], (4, 4), rule).astype(int).tolist() for rule in (JAVA, IMAGEJ))
    assert java == [[0, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 1, 0, 0]]
    assert imagej == [[0, 0, 1, 0], [0, 1, 1, 1], [0, 1, 1, 1], [0, 0, 1, 0]]


@pytest.mark.parametrize("seed", range(4))
def test_half_a_pixel_of_tolerance_loses_none(seed):
    mask = blobs(seed)
    exact, loose = trace_rings(mask), trace_rings(mask, 0.5)
    assert np.array_equal(fill_rings(all_rings(loose), mask.shape), mask)
    assert sum(map(len, all_rings(loose))) < sum(map(len, all_rings(exact)))


@pytest.mark.parametrize("tolerance", [0.75, 1, 2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_outlines_move_by_the_tolerance_at_most_and_stay_valid(seed, tolerance):
    mask = blobs(seed)
    polygons = trace_rings(mask, tolerance)
    judge, exact = as_shapely(polygons), as_shapely(trace_rings(mask))
    assert all(shapely.Polygon(rim, holes).is_valid for rim, *holes in polygons)
    assert judge.boundary.hausdorff_distance(exact.boundary) <= tolerance + 1e-9
    filled = fill_rings(all_rings(polygons), mask.shape)
    deep = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1] > tolerance + 1
    far = ndimage.distance_transform_edt(~mask) > tolerance + 1
    assert filled[deep].all()
    assert not filled[far].any()
    assert sum(map(len, all_rings(polygons))) < 0.6 * sum(map(len, all_rings(trace_rings(mask))))


def test_polygons_beyond_the_image_are_cut_off():
    square = np.array([[-5.0, -5], [2, -5], [2, 2], [-5, 2]])
    shape = filled_shape([[square], [square + 100]], (4, 4), "cell", {"score": 0.5})
    assert (shape.points.tolist(), shape.mask.sum(), shape.other) == ([[0, 0], [1, 1]], 4, {"score": 0.5})
    assert filled_shape([[square + 100]], (4, 4), "cell", {}) is None
    assert filled_shape([[square * 0.01]], (4, 4), "cell", {}) is None  # no centre inside


def test_overlapping_polygons_are_one_object_without_holes():
    square = np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]])
    assert filled_shape([[square], [square + 1]], (4, 4), "cell", {}).mask.sum() == 7


def test_shapes_keep_their_place():
    labels = np.zeros((9, 9), np.int32)
    labels[2:5, 3:7], labels[3, 4] = 1, 0
    (shape,) = label_shapes(labels, lambda _: "cell")
    assert shape_polygons(shape)[0][0].min(axis=0).tolist() == [3, 2]
    again = refilled(shape, labels.shape, 0)
    assert isinstance(again, Shape)
    assert (again.points.tolist(), again.mask.tolist()) == (shape.points.tolist(), shape.mask.tolist())
