"""A training that is killed and resumed ends as if nothing had happened."""

import subprocess
import sys

import numpy as np
import small

from kerasseg.training import history


def without_times(rows: list[history.Row]) -> list[history.Row]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_five_kills_change_neither_weights_nor_history(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    unbroken = small.model()
    expected = small.learn(whole, trained=unbroken)

    subprocess.run([sys.executable, small.__file__, broken], check=True)

    assert without_times(history.read(broken / "history.csv")) == without_times(expected.rows)
    with np.load(broken / "weights.npz") as weights:
        for ours, theirs in zip(unbroken.get_weights(), weights.values(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    kept = {path.name for path in (broken / "checkpoints").iterdir()}
    assert kept == {f"epoch-{epoch:04d}" for epoch in (expected.best["epoch"], 6)}
