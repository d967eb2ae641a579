import pytest

from kerasseg.annotations import masks
from kerasseg.errors import UserError


def test_colours_of_classes(tmp_path):
    path = tmp_path / "labelmap.txt"
    path.write_text(
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\n\nbig cell:250,50,83:nucleus,body:divides\n"
    )
    assert masks.read_label_map(path) == {"background": (0, 0, 0), "big cell": (250, 50, 83)}


@pytest.mark.parametrize("line", ["cell", "cell:1,2", "cell:1,2,256::", "cell:red"])
def test_a_line_of_something_else_is_named(tmp_path, line):
    (tmp_path / "labelmap.txt").write_text(f"background:0,0,0::\n{line}\n")
    with pytest.raises(UserError, match=r"labelmap\.txt: line 2"):
        masks.read_label_map(tmp_path / "labelmap.txt")
