"""The zoo's steps do what their words say, on images seen whole and in bands."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseg.errors import UserError
from kerasseg.images.steps import Step, Steps

IMAGE = np.array([[[0, 10], [2, 20]], [[4, 30], [6, 60]]], np.uint8)  # two channels: 0 2 4 6 and 10 20 30 60
PER_CHANNEL = {"axes": ["y", "x"]}


def done(*steps, image=IMAGE, rows=2, dtype="uint8"):
    """What steps make of an image that is seen in bands of so many rows."""
    bands = lambda: (image[row : row + rows] for row in range(0, len(image), rows))  # noqa: E731
    return Steps(tuple(Step(*step) for step in steps), dtype).fitted(bands, image.dtype)(image)


CASES = {
    "linear": (("scale_linear", {"gain": 0.5, "offset": 1}), [[[1, 6], [2, 11]], [[3, 16], [4, 31]]]),
    "linear by channel": (
        ("scale_linear", {"gain": [1, 0.1], "offset": [1, 0], "axis": "channel"}),
        [[[1, 1], [3, 2]], [[5, 3], [7, 6]]],
    ),
    "range by channel": (
        ("scale_range", {**PER_CHANNEL, "eps": 1e-9}),
        [[[0, 0], [1 / 3, 0.2]], [[2 / 3, 0.4], [1, 1]]],
    ),
    "range of all": (("scale_range", {"eps": 1e-9}), IMAGE / 60),
    "eps is added": (("scale_range", {"eps": 0.1}), IMAGE / 60.1),
    "percentiles": (
        ("scale_range", {**PER_CHANNEL, "min_percentile": 50.0, "eps": 1e-9}),
        [[[-1, -15 / 35], [-1 / 3, -5 / 35]], [[1 / 3, 5 / 35], [1, 1]]],
    ),
    "clip": (("clip", {"min": 2.0, "max": 20.0}), [[[2, 10], [2, 20]], [[4, 20], [6, 20]]]),
    "binarize": (("binarize", {"threshold": 6.0}), [[[0, 1], [0, 1]], [[0, 1], [0, 1]]]),
    "fixed": (("fixed_zero_mean_unit_variance", {"mean": 10.0, "std": 2.0}), (IMAGE - 10.0) / 2),
    "cast": (("ensure_dtype", {"dtype": "float32"}), IMAGE),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rows", [1, 2])
def test_a_step_does_what_its_word_says(case, rows):
    step, expected = CASES[case]
    found = done(step, rows=rows)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("axes", [["y", "x"], ["channel", "y", "x"], None])
@pytest.mark.parametrize("rows", [1, 2])
def test_mean_and_deviation_are_numpys(axes, rows):
    over = (0, 1) if axes == ["y", "x"] else None
    expected = (IMAGE - IMAGE.mean(axis=over)) / (IMAGE.std(axis=over) + 1e-3)
    found = done(("zero_mean_unit_variance", {"axes": axes, "eps": 1e-3}), rows=rows)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_step_sees_what_the_one_before_it_made():
    steps = ("clip", {"max": 30.0}), ("scale_range", {"eps": 1e-9}), ("ensure_dtype", {"dtype": "uint8"})
    assert done(*steps).tolist() == [[[0, 0], [0, 0]], [[0, 1], [0, 1]]]


def test_numbers_far_from_zero_have_their_deviation():
    image = (100_000 + np.arange(8, dtype=np.float32)).reshape(2, 4, 1)
    found = done(("zero_mean_unit_variance", {}), image=image, dtype="float32", rows=1)
    np.testing.assert_allclose(found.std(), 1, rtol=1e-4)


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_sigmoid_and_softmax_share_out(one, other):
    pair = np.array([[[one, other]]], np.float32)
    both = done(("softmax", {"axis": "channel"}), image=pair, dtype="float32")
    alone = done(("sigmoid", {}), image=pair[..., :1] - pair[..., 1:], dtype="float32")
    np.testing.assert_allclose(both.sum(), 1, rtol=1e-6)
    np.testing.assert_allclose(both[..., :1], alone, atol=1e-5)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (("scale_mean_variance", {"reference_tensor": "raw"}), "is not known here; known are binarize"),
        (("custom", {}), "is not known here"),
        (("scale_range", {"reference_tensor": "raw"}), "another tensor"),
        (("softmax", {"axis": "z"}), "works along z"),
    ],
)
def test_a_step_that_is_not_known_is_refused_before_any_image_is(step, message):
    with pytest.raises(UserError, match=message):
        Step(*step).check()


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (("scale_range", {"axes": ["x"]}), "looks at the axes"),
        (("clip", {"lowest": 3}), "cannot be done with"),
        (("ensure_dtype", {"dtype": "uint99"}), "cannot be done with"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(step, message):
    with pytest.raises(UserError, match=message):
        done(step)


def test_intensities_of_a_wider_type_are_refused():
    with pytest.raises(UserError, match="the image is uint16, and the model was made for uint8"):
        done(image=IMAGE.astype(np.uint16))
    assert done(image=IMAGE, dtype="uint16").max() == 60
