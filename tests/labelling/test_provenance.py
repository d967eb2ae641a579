"""Provenance beside shapes: the real labelme keeps it, and what it saves without an edit is unchanged."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseg.annotations import labelme
from kerasseg.annotations.shapes import Drawing, Shape
from kerasseg.errors import UserError
from kerasseg.labelling import folder, provenance
from kerasseg.labelling.labelme_app import put_view
from kerasseg.labelling.provenance import Provenance, digest


@pytest.fixture
def label_file(monkeypatch):
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    module = pytest.importorskip(
        "labelme._label_file", reason="labelme 6 is not installed", exc_type=ImportError
    )
    return module.LabelFile


@pytest.fixture
def window(monkeypatch, tmp_path):
    """Start labelme's own window without a screen, and without a person's settings."""
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setenv("HOME", str(tmp_path))
    widgets = pytest.importorskip("PyQt5.QtWidgets", exc_type=ImportError)
    app = pytest.importorskip("labelme.app", reason="labelme 6 is not installed", exc_type=ImportError)
    application = widgets.QApplication.instance() or widgets.QApplication([])
    opened = app.MainWindow(config_overrides={"auto_save": False, "flags": ["unsure"]})
    yield opened
    opened.mark_clean()
    opened.close()
    application.processEvents()


def written(root, *shapes, **other):
    path = folder.drawing_path(root, "00-00")
    put_view(root, "00-00")
    drawing = Drawing("00-00.png", (16, 16), list(shapes), other=other)
    provenance.propose(path, drawing, "sam", "sam_base")
    return path


@pytest.fixture
def shapes(square):
    hole = np.ones((5, 4), bool)
    hole[2, 2] = False
    return [
        replace(square(1 / 3, 0.1), group_id=2, description="dim", flags={"sure": True, "cut": False}),
        Shape("cell", np.array([[3.0, 4.0], [6.0, 8.0]]), "mask", mask=hole),
        Shape("__ignore__", np.array([[0.0, 0.0], [2.5, 2.0]]), "rectangle", other={"iscrowd": 0}),
    ]


def test_provenance_stands_beside_the_shapes(slide, square):
    path = written(slide, square(), plate="B")
    assert json.loads(path.read_text())["kerasseg"] == {
        "proposer": "sam",
        "model": "sam_base",
        "decision": "",
        "who": "",
        "when": "",
        "digest": digest([square()]),
        "seen": "",
    }
    found = provenance.read(path)
    assert found.drawing.other["plate"] == "B"
    assert not found.is_changed
    assert not found.is_changed_since_seen


def test_an_edit_is_a_change_until_it_was_decided_upon(slide, square):
    path = written(slide, square())
    found = provenance.read(path)
    labelme.write(path, replace(found.drawing, shapes=[square(6.0)]))
    assert provenance.read(path).is_changed_since_seen
    provenance.decide(path, "rejected", "anna", "2025-11-30T17:05:00Z")
    found = provenance.read(path)
    assert found.is_changed
    assert not found.is_changed_since_seen
    assert (found.provenance.proposer, found.provenance.decision, found.provenance.who) == (
        "sam",
        "rejected",
        "anna",
    )
    assert found.drawing.shapes[0].points[0, 0] == 6
    provenance.decide(path, "", "", "")
    assert provenance.read(path).provenance == replace(
        found.provenance, decision="", who="", when="", seen=""
    )


def test_what_is_saved_while_a_decision_is_written_is_kept(slide, square, monkeypatch):
    path, real = written(slide, square()), provenance.write
    found = provenance.read(path)

    def late(draft, *content):
        real(draft, *content)
        monkeypatch.setattr(provenance, "write", real)
        labelme.write(path, replace(found.drawing, shapes=[square(7.0)]))  # labelme saves meanwhile

    monkeypatch.setattr(provenance, "write", late)
    provenance.decide(path, "accepted", "anna", "")
    found = provenance.read(path)
    assert found.drawing.shapes[0].points[0, 0] == 7
    assert found.provenance.decision == "accepted"


def test_a_file_without_provenance_is_changed_when_something_is_drawn(slide, square):
    path = folder.drawing_path(slide, "00-00")
    for shapes in ([], [square()]):
        labelme.write(path, Drawing("00-00.png", (16, 16), shapes))
        found = provenance.read(path)
        assert found.provenance is None
        assert found.is_changed == bool(shapes)
    provenance.decide(path, "accepted", "anna", "")
    assert provenance.read(path).provenance == Provenance(
        "", "", "accepted", "anna", "", digest([]), digest([square()])
    )


@pytest.mark.parametrize("nonsense", [[], "anna", {"who": 7}])
def test_damaged_provenance_is_named(slide, square, nonsense):
    path = written(slide, square())
    path.write_text(json.dumps(json.loads(path.read_text()) | {"kerasseg": nonsense}))
    with pytest.raises(UserError, match=r"00-00\.json: kerasseg is .* expected an object of strings"):
        provenance.read(path)


@pytest.mark.parametrize(
    "change",
    [
        {"label": "nucleus"},
        {"group_id": 3},
        {"description": "bright"},
        {"flags": {"cut": True, "sure": True}},
        {"shape_type": "linestrip"},
        {"points": np.array([[1 / 3, 0.1], [5.0, 0.1], [4.0, 4.0]])},
    ],
)
def test_what_a_person_changes_changes_the_digest(shapes, change):
    assert digest([replace(shapes[0], **change), *shapes[1:]]) != digest(shapes)


def test_pixels_and_order_change_the_digest(shapes):
    first, mask, last = shapes
    other = mask.mask.copy()
    other[0, 0] = False
    assert digest([first, replace(mask, mask=other), last]) != digest(shapes)
    assert digest([mask, first, last]) != digest(shapes)
    assert digest(shapes[:2]) != digest(shapes)


@given(st.lists(st.tuples(st.integers(-160, 1600), st.integers(0, 1600)), min_size=3, max_size=6))
def test_how_numbers_are_written_does_not_change_the_digest(points):
    exact = np.array(points) / 100
    one = Shape("cell", exact, flags={"cut": False})
    other = Shape("cell", np.char.mod("%.6e", exact + 1e-9).astype(float), other={"locked": True})
    assert digest([one]) == digest([other])


def test_labelme_opens_what_is_written_and_keeps_the_provenance(slide, shapes, label_file):
    path = written(slide, *shapes, plate="B")
    before, opened = provenance.read(path), label_file(str(path))
    assert [shape["label"] for shape in opened.shapes] == ["cell", "cell", "__ignore__"]
    opened.save(
        str(path),
        shapes=[],
        image_path=opened.image_path,
        image_height=16,
        image_width=16,
        other_data=opened.other_data,
        flags=opened.flags,
    )
    after = provenance.read(path)
    assert after.provenance == before.provenance
    assert after.drawing.other == before.drawing.other
    assert after.is_changed


def test_what_labelmes_window_saves_without_an_edit_is_unchanged(slide, shapes, window):
    path = written(slide, *shapes, plate="B")
    before = provenance.read(path)
    text = path.read_text()
    window._load_file(str(path))
    assert window.save_labels(str(path))
    after = provenance.read(path)
    assert path.read_text() != text  # it was written by labelme, in its own order and layout
    assert not after.is_changed
    assert (after.provenance, after.drawing.other) == (before.provenance, before.drawing.other)


def test_a_corner_moved_in_labelmes_window_is_a_change(slide, square, window):
    path = written(slide, square())
    window._load_file(str(path))
    (shape,) = window._canvas_widgets.canvas.shapes
    shape.points[0].setX(shape.points[0].x() + 1)
    assert window.save_labels(str(path))
    found = provenance.read(path)
    assert found.is_changed
    assert found.provenance.proposer == "sam"
