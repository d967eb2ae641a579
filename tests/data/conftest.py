"""Samples and files that the tests of this folder make."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from kerasseg.data.sample import Annotation, Sample
from kerasseg.images import files
from kerasseg.images.stores.volume import Volume


@pytest.fixture
def make_sample(tmp_path):
    """Write an image and return it as a sample."""

    def make(name, image, mask, **attributes):
        path = tmp_path / f"{name}.png"
        files.write(path, image)
        return Sample(name, path, mask.shape, lambda: Annotation(mask), attributes)

    return make


@pytest.fixture
def gradients(make_sample):
    """Seven grey images of 32 x 64 pixels that differ, each with a bright rectangle that is its mask."""
    samples = []
    for at in range(7):
        image = np.tile(np.arange(64, dtype=np.uint8) * 2 + at, (32, 1))
        mask = np.zeros((32, 64), np.uint8)
        mask[4 : 12 + at, 10:30] = 1
        image[mask == 1] += 100
        samples.append(make_sample(f"g{at}", image, mask, well=f"w{at // 2}"))
    return samples


@pytest.fixture
def make_volume(tmp_path):
    """Write a volume of two channels with a bright box in the first, and return it as a sample."""

    def make(name, size, *, overlapping=False, spacing=None):
        path, box = tmp_path / f"{name}.tif", tuple(slice(side // 4, side // 2) for side in size)
        rng = np.random.default_rng(len(name))
        image = rng.integers(0, 100, (*size, 2), np.uint8)
        image[(*box, 0)] += 150
        mask = np.zeros(size, np.uint8)
        mask[box] = 1
        if overlapping:
            mask = np.stack([mask, mask & (image[..., 1] > 50)], axis=-1)
        planes = np.moveaxis(image, -1, 1)
        tifffile.imwrite(path, planes, ome=True, photometric="minisblack", metadata={"axes": "ZCYX"})
        return Sample(name, Volume(path), size, lambda: Annotation(mask), {}, spacing)

    return make


@pytest.fixture
def write_image():
    """Write an image of one value."""

    def write(path: Path, size=(4, 6), value=0, dtype=np.uint8):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, np.full(size, value, dtype))
        return path

    return write
