"""A killed prediction goes on from what is on the disk, if it is the same prediction."""

import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.prediction.ledger import open_ledger

ASKED = {"model": {"sha256": "ab"}, "setting": {"tile": (64, 64), "blend": "hann"}}


def begun(folder, rows=2):
    ledger = open_ledger(folder, ASKED)
    ledger.answer((4, 3), np.uint8)
    ledger.keep(slice(0, rows), np.full((rows, 3), 7, np.uint8))
    return ledger


def test_finished_rows_are_there_when_it_goes_on(tmp_path):
    begun(tmp_path / "a")
    again = open_ledger(tmp_path / "a", ASKED)
    assert again.rows == 2
    assert again.answer((4, 3), np.uint8).tolist() == [[7] * 3] * 2 + [[0] * 3] * 2


def test_another_setting_is_refused_and_named(tmp_path):
    begun(tmp_path / "a")
    other = {"model": {"sha256": "cd"}, "setting": {"tile": [64, 64], "blend": "crop"}}
    expected = r"model sha256 \(ab then, cd now\); setting blend \(hann then, crop now\).*--force"
    with pytest.raises(UserError, match=expected):
        open_ledger(tmp_path / "a", other)
    assert open_ledger(tmp_path / "a", ASKED).rows == 2


def test_force_starts_over(tmp_path):
    begun(tmp_path / "a")
    assert open_ledger(tmp_path / "a", ASKED, force=True).rows == 0


def test_a_kill_before_the_first_row_leaves_nothing_to_trip_over(tmp_path):
    open_ledger(tmp_path / "a", ASKED).answer((4, 3), np.uint8)
    again = open_ledger(tmp_path / "a", ASKED)
    assert again.answer((2, 2), np.int32).shape == (2, 2)


def test_what_is_finished_is_cleared_away(tmp_path):
    begun(tmp_path / "a", rows=4).close()
    assert not (tmp_path / "a").exists()
