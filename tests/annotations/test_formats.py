"""The table of formats, and what it takes to add one."""

import json
import sys
from functools import partial
from types import ModuleType

import numpy as np
import pytest

from kerasseg.annotations import labelme
from kerasseg.annotations.conversion import convert
from kerasseg.annotations.formats import FORMATS, Format
from kerasseg.annotations.shapes import Drawing, Shape


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_each_module_has_the_functions_that_the_table_promises(format):
    module = format.load()
    assert callable(module.read_drawings)
    assert callable(module.plan)
    assert hasattr(module, "write_objects") is bool(format.suffix_of_results)


@pytest.fixture
def toy(monkeypatch):
    """A format that keeps the points of polygons, added as anybody would: one module, one line."""

    def read_drawings(source, options):
        points = json.loads((source / "toy.txt").read_text())
        shapes = {name: [Shape("cell", np.array(polygon)) for polygon in points[name]] for name in points}
        return {name: Drawing(f"{name}.png", (9, 9), shapes[name]) for name in points}

    def plan(drawings, target, options):
        points = {name: [s.points.tolist() for s in drawing.shapes] for name, drawing in drawings.items()}
        target.mkdir()
        return {target / "toy.txt": partial((target / "toy.txt").write_text, json.dumps(points))}

    module = ModuleType("kerasseg.annotations.toy")
    module.read_drawings, module.plan = read_drawings, plan
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(FORMATS, "toy", Format("toy", "toy"))


def test_a_format_is_one_module_and_one_line(toy, tmp_path):
    triangle = Shape("cell", np.array([[1.0, 1], [5, 1], [1, 5]]))
    labelme.write(tmp_path / "drawn" / "a.json", Drawing("a.png", (9, 9), [triangle]))
    convert("labelme", "toy", tmp_path / "drawn", tmp_path / "toys")
    convert("toy", "labelme", tmp_path / "toys", tmp_path / "back")
    (shape,) = labelme.read(tmp_path / "back" / "a.json").shapes
    np.testing.assert_array_equal(shape.points, triangle.points)
