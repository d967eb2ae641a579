"""What is written into nuclei.csv is read back the same."""

import pytest

from kerasseg.errors import UserError
from kerasseg.nuclei import table
from kerasseg.nuclei.crops import Corner
from kerasseg.nuclei.linking import Sighting

ROWS = [
    table.Row(1, Sighting(0, 12.5, 30.25, 40.01, 20.0, 179.99, 628.32, False, 0.913), Corner(0, 10)),
    table.Row(1, Sighting(1, 12.51, 30.0, 40.0, 20.0, 0.0, 628.0, True, 0.0), Corner(0, 10)),
]


def test_a_table_is_read_as_it_was_written(tmp_path):
    table.write(tmp_path / "nuclei.csv", ROWS)
    assert table.read(tmp_path / "nuclei.csv") == ROWS
    first, second, _ = (tmp_path / "nuclei.csv").read_text().splitlines()
    assert first == "nucleus,slice,y,x,major,minor,angle,area,crop_y,crop_x,touches_border,score"
    assert second == "1,0,12.50,30.25,40.01,20.00,179.99,628.32,0,10,0,0.913"


def test_no_nuclei_are_a_table_too(tmp_path):
    table.write(tmp_path / "nuclei.csv", [])
    assert table.read(tmp_path / "nuclei.csv") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nucleus,slice\n1,0\n", r"nuclei.csv: the columns y, x, .* are missing"),
        (f"{','.join(table.COLUMNS)}\n1,0,1,1,a,1,1,1,0,0,0,1\n", "line 2 is no row of this table"),
        (f"{','.join(table.COLUMNS)}\n1,0\n", "line 2 is no row of this table"),
    ],
)
def test_another_table_is_refused(tmp_path, text, message):
    (tmp_path / "nuclei.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        table.read(tmp_path / "nuclei.csv")


def test_a_missing_table_is_said(tmp_path):
    with pytest.raises(UserError, match="there is no such file; kerasseg extract writes it"):
        table.read(tmp_path / "nuclei.csv")
