"""Sizes, boxes and centres against SciPy's."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from kerasseg.postprocess.measurement import Measurements

shapes = array_shapes(min_dims=2, max_dims=3, max_side=6)


@given(arrays(np.int32, shapes, elements=st.integers(0, 4)), st.integers(1, 6))
def test_bands_measure_what_scipy_measures(labels, height):
    found = Measurements(4, labels.ndim)
    for start in range(0, len(labels), height):
        found.add(labels[start : start + height])
    assert found.measured().sizes.tolist() == np.bincount(labels.ravel(), minlength=5)[1:].tolist()
    assert found.boxes() == ndimage.find_objects(labels, max_label=4)
    for number, centre in enumerate(found.measured().centres, start=1):
        if (labels == number).any():
            np.testing.assert_allclose(centre, ndimage.center_of_mass(labels == number))
        else:
            assert np.isnan(centre).all()


def test_an_l_of_three_pixels():
    found = Measurements(1, 2)
    found.add(np.array([[0, 1], [0, 1]], np.int32))
    found.add(np.array([[1, 1]], np.int32))
    assert [each.tolist() for each in found.measured()] == [[4], [[0, 0]], [[3, 2]], [[1.25, 0.75]]]
