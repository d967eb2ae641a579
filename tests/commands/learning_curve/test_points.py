"""Points survive their file, and a file that was mended badly is refused."""

import pytest

from kerasseg.commands.learning_curve.points import Point, Points, read
from kerasseg.errors import UserError

POINTS = [
    Point("random", "", 30, 0, 1, 0.1 + 0.2, 0.75, 2 / 3, 12.5),
    Point("balanced", "model", 87, 2, 0, 0.0, 0.5, 0.0, 9.0, accepted=57, empty=40, rejected=63),
]


@pytest.fixture
def path(tmp_path):
    """Write the points one after another, as they become known."""
    points = Points(tmp_path / "curve.csv")
    for point in POINTS:
        points.add(point)
    return points.path


def test_points_are_read_as_they_were_written(path):
    assert read(path) == POINTS


def test_before_the_first_point_there_is_none(tmp_path):
    assert read(tmp_path / "curve.csv") == []


@pytest.mark.parametrize(("then", "now"), [("87", "many"), ("tiles", "tile"), (",63", "")])
def test_a_line_that_is_not_a_point_is_refused(then, now, path):
    path.write_text(path.read_text().replace(then, now))
    with pytest.raises(UserError, match=r"curve\.csv(.|\n)*remove this file and compute the curve again"):
        read(path)
