"""A SYNTHETIC slide of fluorescent nuclei with its truth, for where there is no real one.

Nuclei lie as `kerasseg.synthetic.slide_nuclei` says. The microscope blurs, lets haze through and lights the
middle more than the corners; the camera is noisy. The slide is drawn in bands, so that it may be far larger
than memory. The left of it is for training, the right for testing; no nucleus lies in both.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import cv2
import numpy as np

from kerasseg.console import say, track
from kerasseg.errors import UserError
from kerasseg.images import ondisk
from kerasseg.images.ondisk import OnDisk
from kerasseg.images.stores.blocks import cuts
from kerasseg.images.writing.result import Result
from kerasseg.images.writing.tiff import write_tiff
from kerasseg.synthetic.origin import synthetic_folder
from kerasseg.synthetic.slide_nuclei import Size, scattered, stained, tissue

SMALLEST = 64  # side of a slide
TRAINED = 0.7  # of the slide's width
ROWS = 256  # drawn at once
PIXEL = (0.65, 0.65)  # micrometres

FOCUS, HAZE = 1.1, 10.0  # standard deviations of the blur, and of light from out of focus
HAZE_SHARE = 0.2
AROUND = 32  # rows that haze comes from
GLOW = 7.0  # of tissue between nuclei
EDGE = 0.4  # of the light is missing in the corner farthest from the middle of the beam
DARK, READOUT = 6.0, 1.5  # a camera's dark image: mean and standard deviation
PER_LEVEL = 0.35  # variance of photon noise


def synthesize(root: Path, *, size: Size = (1536, 2048), seed: int = 0) -> None:
    """Write a slide, its truth, its regions and a marker that keeps their origin known.

    ``slide.ome.tif`` is uint8; ``truth.labels.ome.tif`` is int32, a number a nucleus; ``regions.json`` has
    y, x, height and width of "train" and "test".

    Parameters
    ----------
    root : Path
        The folder to appear, complete or not at all; an empty one may be there.
    size : tuple of int, default (1536, 2048)
        Height and width in pixels. The C-fos paper's slide is (7162, 10231).
    seed : int, default 0
        The same seed writes the same files.

    Raises
    ------
    UserError
        If there is anything in `root`, it cannot be written, or an argument makes no sense.
    """
    if len(size) != 2 or min(size) < SMALLEST:
        raise UserError(f"size: {size}; expected height and width of at least {SMALLEST} pixels")
    if seed < 0:
        raise UserError(f"seed: {seed}; expected 0 or more")
    with synthetic_folder(root, f"a synthetic slide, seed {seed}; no cell was ever here.") as folder:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            image = ondisk.create(Path(scratch) / "image.npy", np.dtype(np.uint8), size)
            labels = ondisk.create(Path(scratch) / "labels.npy", np.dtype(np.int32), size)
            count = draw(image, labels, seed)
            write_tiff(folder / "slide.ome.tif", Result(image, "YX", PIXEL, "area"))
            write_tiff(folder / "truth.labels.ome.tif", Result(labels, "YX", PIXEL, "nearest"))
        told = {"slide": {"width": size[1], "height": size[0], "dtype": "uint8", "seed": seed}}
        told |= {"regions": regions(size), "nuclei": count}
        (folder / "regions.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    say(f"{root}: a SYNTHETIC slide with {count} nuclei")


def regions(size: Size) -> dict[str, dict[str, int]]:
    """Part a slide for training and testing: y, x, height and width of each part."""
    height, width = size
    border = round(TRAINED * width)
    return {
        "train": {"y": 0, "x": 0, "height": height, "width": border},
        "test": {"y": 0, "x": border, "height": height, "width": width - border},
    }


def draw(image: np.ndarray | OnDisk, labels: np.ndarray | OnDisk, seed: int) -> int:
    """Draw a slide and its truth, band by band.

    Parameters
    ----------
    image : numpy.ndarray or OnDisk, shape (Y, X), uint8
    labels : numpy.ndarray or OnDisk, shape (Y, X), int32
    seed : int

    Returns
    -------
    int
        How many nuclei there are.
    """
    size, rng = image.shape, np.random.default_rng((seed, 0))
    grown = tissue(size, rng)
    nuclei = scattered(grown, regions(size)["test"]["x"], rng)
    beam = rng.uniform(0.35, 0.65, 2)
    for rows in track(list(cuts(size[0], ROWS)), "drawing a SYNTHETIC slide"):
        around = slice(max(0, rows.start - AROUND), min(size[0], rows.stop + AROUND))
        inside = slice(rows.start - around.start, rows.stop - around.start)
        light, numbers = stained(nuclei, around, size[1], seed)
        y, x = np.arange(rows.start, rows.stop)[:, None], np.arange(size[1])
        seen = (_focused(light)[inside] + GLOW * grown(y, x)) * _lit(y, x, size, beam)
        image[rows] = _photographed(seen, np.random.default_rng((seed, 1, rows.start)))
        labels[rows] = numbers[inside]
    return len(nuclei.centres)


def _focused(light: np.ndarray) -> np.ndarray:
    sharp, haze = (cv2.GaussianBlur(light, None, sigma) for sigma in (FOCUS, HAZE))
    return (1 - HAZE_SHARE) * sharp + HAZE_SHARE * haze


def _lit(y: np.ndarray, x: np.ndarray, size: Size, beam: np.ndarray) -> np.ndarray:
    """Say how much light falls on pixels: 1 in the middle of the beam, a share of the slide."""
    away = (y / size[0] - beam[0]) ** 2 + (x / size[1] - beam[1]) ** 2
    return 1 - EDGE * away / (np.maximum(beam, 1 - beam) ** 2).sum()


def _photographed(light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = rng.standard_normal(light.shape, np.float32) * np.sqrt(READOUT**2 + PER_LEVEL * light)
    return np.clip(np.rint(DARK + light + noise), 0, 255).astype(np.uint8)
