"""Real slices with nuclei drawn by eye."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np
import pytest

from kerasseg.images import files
from kerasseg.nuclei.linking import Sighting


@dataclass(frozen=True)
class Drawn:
    """A nucleus that somebody drew as an ellipse."""

    y: float
    x: float
    semi_axes: tuple[float, float]
    whole: bool

    def is_met(self, sighting: Sighting, shift: float = 0) -> bool:
        """Tell whether a sighting in a slice, moved up by `shift`, is this nucleus.

        Its centre lies within the shorter semi-axis, and its area is right up to a factor of two.
        """
        distance = math.hypot(sighting.y + shift - self.y, sighting.x - self.x)
        return (
            distance <= min(self.semi_axes)
            and 0.5 <= sighting.area / (math.pi * math.prod(self.semi_axes)) <= 2
        )


@dataclass(frozen=True)
class Slice:
    """A slice (Y, X) uint8 and its nuclei."""

    image: np.ndarray
    nuclei: list[Drawn]

    @property
    def whole(self) -> list[Drawn]:
        return [nucleus for nucleus in self.nuclei if nucleus.whole]


@pytest.fixture
def real_slice(shared_data):
    """Read a slice of `openorganelle_slices` by its name."""
    folder = shared_data / "em" / "openorganelle_slices"
    if not folder.is_dir():
        pytest.skip(f"slices with nuclei are not here: {folder}")

    def read(name):
        document = json.loads((folder / f"{name}_nuclei_by_eye.json").read_text())
        nuclei = [
            Drawn(
                each["y"], each["x"], (each["semi_axis_1"], each["semi_axis_2"]), not each["touches_border"]
            )
            for each in document["nuclei"]
        ]
        return Slice(files.read(folder / f"{name}.png")[..., 0], nuclei)

    return read


@pytest.fixture
def discs():
    """Draw a slice of discs, lighter than a grey ground, from (y, x, radius)."""

    def drawn(*centres, size=(160, 200)):
        ys, xs = np.indices(size)
        image = np.full(size, 60, np.uint8) + np.random.default_rng(0).integers(0, 9, size, np.uint8)
        for y, x, radius in centres:
            image[np.hypot(ys - y, xs - x) <= radius] += 100
        return image

    return drawn
