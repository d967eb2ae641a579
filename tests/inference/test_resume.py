"""A killed prediction goes on from what is on the disk, if it is the same prediction."""

import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.inference.resume import open_ledger

SETTINGS = {"model": {"sha256": "ab"}, "setting": {"tile": (64, 64), "blend": "hann"}}


def begun(folder, rows=2):
    ledger = open_ledger(folder, SETTINGS)
    ledger.keep(slice(0, rows), np.full((rows, 3), 7, np.uint8), height=4)
    return ledger


def test_finished_rows_are_there_when_it_goes_on(tmp_path):
    begun(tmp_path / "a")
    again = open_ledger(tmp_path / "a", SETTINGS)
    assert again.rows == 2
    assert again.answer[:].tolist() == [[7] * 3] * 2 + [[0] * 3] * 2


def test_another_setting_is_refused_and_named(tmp_path):
    begun(tmp_path / "a")
    other = {"model": {"sha256": "cd"}, "setting": {"tile": [64, 64], "blend": "crop"}}
    with pytest.raises(UserError, match="start again with --force") as refused:
        open_ledger(tmp_path / "a", other)
    assert [line.strip() for line in refused.value.messages[1:]] == [
        "model.sha256: 'ab' then, 'cd' now",
        "setting.blend: 'hann' then, 'crop' now",
    ]
    assert open_ledger(tmp_path / "a", SETTINGS).rows == 2


def test_force_starts_over(tmp_path):
    begun(tmp_path / "a")
    assert open_ledger(tmp_path / "a", SETTINGS, force=True).rows == 0


def test_a_kill_before_the_first_row_was_counted_leaves_nothing_to_trip_over(tmp_path):
    begun(tmp_path / "a", rows=0)
    ledger = open_ledger(tmp_path / "a", SETTINGS)
    ledger.keep(slice(0, 1), np.ones((1, 2), np.int32), height=2)
    assert open_ledger(tmp_path / "a", SETTINGS).answer[:].tolist() == [[1, 1], [0, 0]]


def test_what_is_finished_is_cleared_away(tmp_path):
    begun(tmp_path / "a", rows=4).close()
    assert not (tmp_path / "a").exists()
