"""Digits drawn by a program look like MNIST, and are called SYNTHETIC."""

import numpy as np

from kerasseg.synthetic.origin import is_synthetic
from kerasseg.synthetic.strokes import stroke, synthesize


def test_strokes_are_bright_on_black_and_lie_inside():
    rng = np.random.default_rng(0)
    digits = np.stack([stroke(digit, rng) for digit in range(10) for _ in range(9)])
    assert digits.max(axis=(1, 2)).min() > 200
    bright = (digits > 127).mean(axis=(1, 2))
    assert bright.min() > 0.03
    assert bright.max() < 0.3
    rim = np.ones((28, 28), bool)
    rim[1:-1, 1:-1] = False
    assert digits[:, rim].mean() < 3


def test_the_same_seed_writes_the_same_marked_archive(tmp_path):
    for folder in ("a", "b"):
        synthesize(tmp_path / folder, images=20, seed=4)
    one, other = (np.load(tmp_path / folder / "strokes.npz") for folder in ("a", "b"))
    np.testing.assert_array_equal(one["images"], other["images"])
    assert one["labels"].shape == (20,)
    assert is_synthetic(tmp_path / "a")
