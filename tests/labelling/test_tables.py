"""Rows of a dataclass are read as they were written, and everything that is wrong is named by line."""

from dataclasses import dataclass

import pytest

from kerasseg.errors import UserError
from kerasseg.labelling import tables


@dataclass(frozen=True)
class Cell:
    name: str
    area: int
    mean: float


CELLS = [Cell("a, b", 12, 0.1 + 0.2), Cell('"c"', 0, float("inf"))]


def test_rows_are_read_as_they_were_written(tmp_path):
    (tmp_path / "cells.csv").write_text(tables.to_csv(CELLS, Cell), newline="\n")
    assert (tmp_path / "cells.csv").read_text().splitlines()[0] == "name,area,mean"
    assert tables.read(tmp_path / "cells.csv", Cell, "measure the cells") == CELLS


def test_columns_may_come_in_another_order_with_a_spreadsheets_mark_and_line_ends(tmp_path):
    (tmp_path / "cells.csv").write_bytes("\ufeffmean,name,area\r\n0.5,a,1\r\n\r\n".encode())
    assert tables.read(tmp_path / "cells.csv", Cell, "measure the cells") == [Cell("a", 1, 0.5)]


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (
            "name,area,mean\na,1\nb,-2,x\n",
            [
                "line 2: it has 2 cells; expected 3",
                "line 3: area is '-2'; expected a whole number from 0; mean is 'x'; expected a number",
            ],
        ),
        (
            "name,aera,mean,mean\n",
            [
                "line 1: unknown column 'aera': choose one of area, mean, name; did you mean 'area'?",
                "line 1: there is no column area",
                "line 1: column mean is there twice",
                "expected name,area,mean in the first line",
            ],
        ),
        ('name,area,mean\n"a', ["line 2: this is not CSV (unexpected end of data)"]),
    ],
)
def test_everything_that_is_wrong_is_named_with_what_to_do(text, messages, tmp_path):
    path = tmp_path / "cells.csv"
    path.write_text(text)
    with pytest.raises(UserError) as raised:
        tables.read(path, Cell, "measure the cells")
    expected = [*messages, "remove this file and measure the cells again"]
    assert [message.removeprefix(f"{path}: ") for message in raised.value.messages] == expected


def test_a_missing_file_and_one_that_is_not_text_are_named(tmp_path):
    with pytest.raises(UserError, match=r"cells\.csv: there is no such file; measure the cells first"):
        tables.read(tmp_path / "cells.csv", Cell, "measure the cells")
    (tmp_path / "cells.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="this is not UTF-8"):
        tables.read(tmp_path / "cells.csv", Cell, "measure the cells")
