"""Drawn pixels against labelme's own."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kerasseg.annotations.draw import PAINTERS, draw_instance, draw_labels, draw_mask
from kerasseg.annotations.shapes import BACKGROUND_LABEL, IGNORE_LABEL, Shape
from kerasseg.errors import UserError

SIZE = (60, 80)
CLASSES = ["cell", "nucleus"]
COUNTS = {"rectangle": 2, "oriented_rectangle": 4, "circle": 2, "line": 2, "point": 1}


@pytest.fixture(scope="module")
def shapes_to_label():
    return pytest.importorskip(
        "labelme.utils", reason="labelme is not installed", exc_type=ImportError
    ).shapes_to_label


def _as_labelme(shape: Shape) -> dict:
    return {
        "label": shape.label,
        "points": shape.points.tolist(),
        "shape_type": shape.shape_type,
        "group_id": shape.group_id,
        "mask": shape.mask,
    }


@st.composite
def shapes(draw) -> Shape:
    shape_type = draw(st.sampled_from(sorted(PAINTERS.keys() - {"points"})))
    label, group_id = draw(st.sampled_from(CLASSES)), draw(st.sampled_from([None, 1, 2]))
    if shape_type == "mask":
        return _random_mask(draw, label, group_id)
    least = {"polygon": 3, "linestrip": 2}.get(shape_type)
    n = COUNTS.get(shape_type) or draw(st.integers(least, 12))
    x, y = st.floats(-2, SIZE[1] + 2), st.floats(-2, SIZE[0] + 2)
    points = draw(st.lists(st.tuples(x, y), min_size=n, max_size=n))
    return Shape(label, np.array(points), shape_type, group_id)


def _random_mask(draw, label, group_id) -> Shape:
    left, top = draw(st.integers(0, SIZE[1] - 1)), draw(st.integers(0, SIZE[0] - 1))
    right, bottom = draw(st.integers(left, SIZE[1] - 1)), draw(st.integers(top, SIZE[0] - 1))
    seed = draw(st.integers(0, 2**32 - 1))
    pixels = np.random.default_rng(seed).random((bottom - top + 1, right - left + 1)) < 0.5
    return Shape(label, np.array([[left, top], [right, bottom]], float), "mask", group_id, pixels)


@settings(max_examples=200, deadline=None)
@given(st.lists(shapes(), min_size=1, max_size=3))
@example([Shape("cell", np.array([[37.0, 10.0], [79.0, 46.0]]), "line")])
@example([Shape("cell", np.array([[0.0, 60.0]]), "point")])
@example([Shape("cell", np.array([[0.0, 59.99999999999999]]), "point")])  # rounding of y + 5
@example([Shape("cell", np.array([[79.99999999999999, 59.99999999999999], [75.0, 60.0]]), "circle")])
def test_an_instance_in_its_box_has_the_pixels_that_it_has_in_the_image(parts):
    whole = draw_mask([replace(part, label="cell") for part in parts], SIZE, CLASSES)
    held = draw_instance(parts, SIZE)
    assert (held is None) is not whole.any()
    if held:
        left, top = held.points[0].astype(int)
        height, width = held.mask.shape
        pasted = np.zeros(SIZE, bool)
        pasted[top : top + height, left : left + width] = held.mask
        assert np.array_equal(pasted, whole == 1)
        assert (held.label, held.shape_type, held.group_id) == (parts[0].label, "mask", None)


@settings(max_examples=300, deadline=None)
@given(st.lists(shapes(), max_size=8))
def test_every_shape_has_labelmes_pixels(shapes_to_label, drawn):
    classes, instances = shapes_to_label((*SIZE, 3), list(map(_as_labelme, drawn)), {"cell": 1, "nucleus": 2})
    assert np.array_equal(draw_mask(drawn, SIZE, CLASSES), classes)
    assert np.array_equal(draw_labels(drawn, SIZE), instances)


def test_more_instances_than_a_byte_counts(shapes_to_label):
    rng = np.random.default_rng(0)
    drawn = [Shape("cell", rng.uniform(0, 60, (4, 2))) for _ in range(700)]
    drawn += [Shape("cell", rng.uniform(0, 60, (2, 2)), kind) for kind in ("circle", "line", "rectangle")]
    drawn.append(Shape("cell", np.array([[5.0, 5], [9, 9]]), "mask", mask=np.eye(5, dtype=bool)))
    _, instances = shapes_to_label(SIZE, list(map(_as_labelme, drawn)), {"cell": 1})
    labels = draw_labels(drawn, SIZE)
    assert labels.max() > 255
    assert labels.dtype == np.int32
    assert np.array_equal(labels, instances)


def test_points_are_a_point_each():
    both = draw_mask([Shape("cell", np.array([[10.0, 10], [40, 30]]), "points")], SIZE, CLASSES)
    each = [Shape("cell", np.array([[x, y]]), "point") for x, y in ((10.0, 10.0), (40.0, 30.0))]
    assert np.array_equal(both, draw_mask(each, SIZE, CLASSES))


def test_a_square_by_eye():
    square = Shape("nucleus", np.array([[1.0, 1], [3, 1], [3, 2], [1, 2]]))
    assert draw_mask([square], (4, 5), CLASSES).tolist() == [
        [0, 0, 0, 0, 0],
        [0, 2, 2, 2, 0],
        [0, 2, 2, 2, 0],
        [0, 0, 0, 0, 0],
    ]


def test_one_group_is_one_instance_and_other_labels_are_not():
    spots = [("cell", 1), ("cell", None), ("cell", 1), ("nucleus", 1)]
    drawn = [
        Shape(label, np.array([[x, 0.0], [x, 0]]), "rectangle", group)
        for x, (label, group) in enumerate(spots)
    ]
    assert draw_labels(drawn, (1, 4)).tolist() == [[1, 2, 1, 3]]


def test_ignore_and_background_need_no_class():
    drawn = [
        Shape("cell", np.array([[0.0, 0], [2, 0]]), "rectangle"),
        Shape(IGNORE_LABEL, np.array([[1.0, 0], [1, 0]]), "rectangle"),
        Shape(BACKGROUND_LABEL, np.array([[2.0, 0], [2, 0]]), "rectangle"),
    ]
    assert draw_mask(drawn, (1, 3), CLASSES).tolist() == [[1, 255, 0]]


def test_an_unknown_label_is_answered_with_the_nearest_and_the_file():
    with pytest.raises(UserError, match=r"a\.json: unknown label 'cels'.*did you mean 'cell'"):
        draw_mask([Shape("cels", np.zeros((3, 2)))], SIZE, CLASSES, "a.json")


def test_a_mask_that_reaches_over_the_border_is_cut():
    over = Shape("cell", np.array([[-1.0, 2], [1, 3]]), "mask", mask=np.ones((2, 3), bool))
    assert draw_mask([over], (3, 3), CLASSES).tolist() == [[0, 0, 0], [0, 0, 0], [1, 1, 0]]
