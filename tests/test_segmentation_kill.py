"""A prediction that is killed at ten moments, drawn at random, ends in the bytes of one that was not."""

import subprocess
import sys

import dying
import numpy as np
import pytest
import tifffile


@pytest.mark.parametrize("seed", [0, 1])
def test_ten_kills_change_no_byte(tmp_path, seed):
    image = tmp_path / "a.tif"
    tifffile.imwrite(image, np.random.default_rng(seed).integers(0, 256, dying.SIZE, np.uint8))
    whole, broken = tmp_path / "whole" / "a.ome.tif", tmp_path / "broken" / "a.ome.tif"
    dying.predict(image, whole)

    command = [sys.executable, dying.__file__, image, broken, str(seed)]
    killed = subprocess.run(command, text=True, capture_output=True, check=False)

    assert not killed.returncode, killed.stderr
    assert killed.stdout.count("killed when") == 10
    assert broken.read_bytes() == whole.read_bytes()
    assert tifffile.imread(broken).max() > 100  # there was something to number
    assert {path.name for path in broken.parent.iterdir()} == {"a.ome.tif", "predictions.json"}
    of_both = [(folder.parent / "predictions.json").read_bytes() for folder in (broken, whole)]
    assert of_both[0] == of_both[1]
