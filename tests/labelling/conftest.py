"""A labelling folder as the first steps of the loop leave it."""

from types import SimpleNamespace

import numpy as np
import pytest

from kerasseg.annotations.shapes import Shape
from kerasseg.images import files
from kerasseg.labelling import queue

TILES = ("00-00", "00-01", "01-00", "01-01")


@pytest.fixture
def slide(tmp_path):
    """Make a folder of four grey tiles of 16 x 16 pixels, a bright square on each, none in the queue."""
    root = tmp_path / "slide"
    lines = ["name,row,column,y,x,part,mean,deviation"]
    for at, name in enumerate(TILES):
        image = np.full((16, 16), 10 + at, np.uint8)
        image[4:9, 5:11] = 200
        files.write(root / f"tiles/{name}.png", image)
        row, column = divmod(at, 2)
        lines.append(f"{name},{row},{column},{row * 8},{column * 8},train,0.1,0.2")
    (root / "tiles.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def draw():
    """Select tiles as `kerasseg.labelling.selection` does."""

    def drawn(*names, cluster=1, policy="random"):
        return [SimpleNamespace(name=name, cluster=cluster, policy=policy, why="") for name in names]

    return drawn


@pytest.fixture
def selected(slide, draw):
    """Put all four tiles into the queue."""
    queue.add(slide, draw(*TILES), "train", 1)
    return slide


@pytest.fixture
def square():
    """Outline a square of the class cell."""

    def outlined(x=5.0, y=4.0, side=4.0, label="cell"):
        corners = [[x, y], [x + side, y], [x + side, y + side], [x, y + side]]
        return Shape(label, np.array(corners))

    return outlined
