import numpy as np
import pytest

from kerasseg.annotations import kaggle
from kerasseg.annotations.draw import draw_labels
from kerasseg.errors import UserError

HEAD = "id,annotation,width,height,cell_type\n"


def _written(tmp_path, text):
    (tmp_path / "train.csv").write_text(text)
    return tmp_path / "train.csv"


def test_rows_become_instances(tmp_path):
    path = _written(tmp_path, HEAD + "a,1 2,4,2,cort\nb,,3,1,cort\na,4 2 8 1,4,2,cort\n")
    drawings = kaggle.read(path, ["cell"])
    assert draw_labels(drawings["a"].shapes, (2, 4)).tolist() == [[1, 1, 0, 2], [2, 0, 0, 2]]
    assert (drawings["b"].size, drawings["b"].shapes) == ((1, 3), [])
    assert {shape.label for shape in drawings["a"].shapes} == {"cell"}


def test_what_is_written_comes_back(tmp_path):
    drawings = kaggle.read(_written(tmp_path, HEAD + "a,1 2,4,2,x\na,4 2 8 1,4,2,x\nb,,3,1,x\n"), ["cell"])
    kaggle.write(tmp_path / "again.csv", drawings)
    assert (tmp_path / "again.csv").read_text().split() == [
        "id,annotation,width,height,class",
        "a,1",
        "2,4,2,cell",
        "a,4",
        "2",
        "8",
        "1,4,2,cell",
        "b,,3,1,",
    ]
    again = kaggle.read(tmp_path / "again.csv", ["cell"])
    for name, drawing in drawings.items():
        before, after = (draw_labels(d.shapes, d.size) for d in (drawing, again[name]))
        assert np.array_equal(before, after)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,annotation\na,1 2\n", "no column width, height"),
        ("", "no column id, annotation"),
        (HEAD, "has no rows"),
        (HEAD + "a,1 2 3,4,2,x\n", "line 2: a: 3 numbers"),
        (HEAD + "a,1 2,4,2,x\na,1 2,4,3,x\n", r"line 3: .*a is \(3, 4\)"),
        (HEAD + "a,1 2,four,2,x\n", "'four'"),
        (HEAD + "../a,1 2,4,2,x\n", "id is '../a'"),
        (HEAD.replace("cell_type", "class") + "a,1 2,4,2,cel\n", "did you mean 'cell'"),
    ],
)
def test_wrong_rows_are_named(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        kaggle.read(_written(tmp_path, text), ["cell"])


def test_real_cells(shared_data):
    drawings = kaggle.read(shared_data / "phase_kaggle" / "train.csv", ["cell"])
    assert len(drawings) == 60
    assert sum(len(drawing.shapes) for drawing in drawings.values()) == 1658
