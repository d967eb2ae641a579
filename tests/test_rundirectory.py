"""A run's folder says how far the run is."""

import pytest

from kerasseg.rundirectory import RunDirectory


def test_an_error_is_kept_until_the_run_is_gone_on_with(tmp_path):
    run = RunDirectory(tmp_path)
    with pytest.raises(OSError, match="full"), run.kept():
        raise OSError("the disk is full")
    failed = run.read_json("status.json")
    assert (failed["state"], failed["error"]) == ("failed", "the disk is full")
    with run.kept():
        run.set_state("finished")
    finished = run.read_json("status.json")
    assert finished["state"] == "finished"
    assert "error" not in finished
    assert finished["started"] == failed["started"]
