"""A SYNTHETIC slide of fluorescent nuclei with its truth, for where there is no real one.

Tissue lies in patches of uneven density, with large empty regions between. Nuclei keep a distance from each
other (a Matérn hard-core process of type II), though the longer ones touch; some shine far less than others.
The microscope blurs, lets haze through and lights the middle more than the corners; the camera is noisy. The
slide is drawn in bands, so that it may be far larger than memory. The left of it is for training, the right
for testing; no nucleus lies in both.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial import cKDTree

from kerasseg.console import say, track
from kerasseg.errors import UserError
from kerasseg.images import ondisk
from kerasseg.images.ondisk import OnDisk
from kerasseg.images.stores.blocks import cuts
from kerasseg.images.writing.result import Result
from kerasseg.images.writing.tiff import write_tiff
from kerasseg.synthetic.origin import synthetic_folder

Size = tuple[int, int]

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

PATCHES = 6  # of tissue
RADIUS = (0.06, 0.13)  # of a patch, standard deviations as a share of the slide
DENSITY = (0.4, 1.0)  # of nuclei in its middle
EMPTY = 0.1  # no nuclei where there is less tissue

TRIED = 1 / 11**2  # nuclei a pixel, most of which are too near to others
APART = 15.0  # pixels between two centres at least; less than twice a long semi-axis
SEMI_AXES = ((7.5, 11.0), (5.5, 7.5))
WAVY = 0.08  # how much an outline leaves its ellipse
REACH = 13  # pixels from a nucleus' centre that it may cover

BRIGHT = (75.0, 0.4)  # median, and standard deviation of the logarithm, from nucleus to nucleus
GRAIN = 0.25  # standard deviation of the logarithm of chromatin


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
        description = {
            "slide": {"width": size[1], "height": size[0], "dtype": "uint8", "seed": seed},
            "regions": regions(size),
            "nuclei": count,
        }
        (folder / "regions.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
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
    size = image.shape
    rng = np.random.default_rng((seed, 0))
    tissue = draw_tissue(size, rng)
    nuclei = scatter(tissue, regions(size)["test"]["x"], rng)
    beam = rng.uniform(0.35, 0.65, 2)
    for rows in track(list(cuts(size[0], ROWS)), "drawing a SYNTHETIC slide"):
        around = slice(max(0, rows.start - AROUND), min(size[0], rows.stop + AROUND))
        inside = slice(rows.start - around.start, rows.stop - around.start)
        light, numbers = stain(nuclei, around, size[1], seed)
        y, x = np.arange(rows.start, rows.stop)[:, None], np.arange(size[1])
        sharp = cv2.GaussianBlur(light, None, FOCUS)
        haze = cv2.GaussianBlur(light, None, HAZE)
        focused = (1 - HAZE_SHARE) * sharp + HAZE_SHARE * haze
        seen = (focused[inside] + GLOW * tissue(y, x)) * _beam(y, x, size, beam)
        image[rows] = _photograph(seen, np.random.default_rng((seed, 1, rows.start)))
        labels[rows] = numbers[inside]
    return len(nuclei.centres)


def _beam(y: np.ndarray, x: np.ndarray, size: Size, beam: np.ndarray) -> np.ndarray:
    """Say how much light falls on pixels: 1 in the middle of the beam, a share of the slide."""
    away = (y / size[0] - beam[0]) ** 2 + (x / size[1] - beam[1]) ** 2
    return 1 - EDGE * away / (np.maximum(beam, 1 - beam) ** 2).sum()


def _photograph(light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = rng.standard_normal(light.shape, np.float32) * np.sqrt(READOUT**2 + PER_LEVEL * light)
    return np.clip(np.rint(DARK + light + noise), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Tissue:
    """Where tissue is: patches with their centres y, x and radii (shares of the slide), and densities."""

    size: Size
    patches: np.ndarray  # (PATCHES, 4)

    def __call__(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Tell how much tissue there is at pixels, from 0 to 1; `y` and `x` broadcast."""
        height, width = self.size
        densest = np.zeros(np.broadcast_shapes(y.shape, x.shape), np.float32)
        for centre_y, centre_x, radius, density in self.patches:
            down = np.exp(-0.5 * ((y / height - centre_y) / radius) ** 2)
            along = np.exp(-0.5 * ((x / width - centre_x) / radius) ** 2)
            densest = np.maximum(densest, density * down * along)
        return densest


@dataclass(frozen=True)
class Nuclei:
    """Nuclei from top to bottom; the first has number 1 in the truth.

    Attributes
    ----------
    centres : numpy.ndarray, shape (N, 2)
        y, x in pixels.
    semi_axes : numpy.ndarray, shape (N, 2)
        The longer first, in pixels.
    turned : numpy.ndarray, shape (N, 2)
        Angles of the longer one, and of the outline's waves.
    bright : numpy.ndarray, shape (N,)
        In grey levels.
    """

    centres: np.ndarray
    semi_axes: np.ndarray
    turned: np.ndarray
    bright: np.ndarray

    def within(self, rows: slice) -> np.ndarray:
        """Find those that may cover a pixel of some rows: indices."""
        first, last = np.searchsorted(self.centres[:, 0], (rows.start - REACH, rows.stop + REACH))
        return np.arange(first, last)


def draw_tissue(size: Size, rng: np.random.Generator) -> Tissue:
    """Draw patches of tissue, spread over the width of a slide."""
    y, along = rng.uniform(0, 1, (2, PATCHES))
    densities = rng.permutation(np.linspace(*DENSITY, PATCHES))
    x = (np.arange(PATCHES) + along) / PATCHES
    return Tissue(size, np.stack([y, x, rng.uniform(*RADIUS, PATCHES), densities], axis=1))


def scatter(tissue: Tissue, border: int, rng: np.random.Generator) -> Nuclei:
    """Scatter nuclei apart, as densely as there is tissue, and none across a column of pixels.

    Of those that are tried each stays if none tried before it lies nearer than `APART` (B. Matérn, Spatial
    Variation, 1960, 10.1007/978-1-4615-7892-5), and then as likely as there is tissue.
    """
    height, width = tissue.size
    tried = rng.uniform((0, 0), tissue.size, (int(TRIED * height * width), 2))
    later = cKDTree(tried).query_pairs(APART, output_type="ndarray")[:, 1]
    centres = np.delete(tried, np.unique(later), axis=0)
    here = tissue(*centres.T)
    centres = centres[(here >= EMPTY) & (rng.random(len(here)) < here)]
    centres = centres[np.abs(centres[:, 1] - border) > REACH]
    centres = centres[np.argsort(centres[:, 0])]
    count = len(centres)
    semi_axes = np.stack([rng.uniform(*limits, count) for limits in SEMI_AXES], axis=1)
    bright = BRIGHT[0] * rng.lognormal(0, BRIGHT[1], count)
    return Nuclei(centres, semi_axes, rng.uniform(0, 2 * np.pi, (count, 2)), bright)


def stain(nuclei: Nuclei, rows: slice, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw nuclei into some rows, the same whichever rows are drawn at once.

    Parameters
    ----------
    nuclei : Nuclei
    rows : slice
        Of the slide.
    width : int
        Of the slide.
    seed : int
        Of chromatin.

    Returns
    -------
    light : numpy.ndarray, shape (rows, X), float32
        In grey levels.
    numbers : numpy.ndarray, shape (rows, X), int32
        Where two nuclei overlap, the upper one stays whole.
    """
    light = np.zeros((rows.stop - rows.start, width), np.float32)
    numbers = np.zeros(light.shape, np.int32)
    for index in nuclei.within(rows):
        corner = np.floor(nuclei.centres[index]).astype(int) - REACH
        nucleus = _nucleus(nuclei, index, corner, np.random.default_rng((seed, 2, index)))
        top, left = max(corner[0], rows.start), max(corner[1], 0)
        nucleus = nucleus[
            top - corner[0] : max(0, rows.stop - corner[0]), left - corner[1] : width - corner[1]
        ]
        box = np.s_[top - rows.start : top - rows.start + nucleus.shape[0], left : left + nucleus.shape[1]]
        free = (nucleus > 0) & (numbers[box] == 0)
        light[box][free] = nucleus[free]
        numbers[box][free] = index + 1
    return light, numbers


def _nucleus(nuclei: Nuclei, index: int, corner: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one nucleus into a box of its own, float32; 0 where it is not."""
    side = 2 * REACH + 1
    y, x = np.arange(side) + (corner - nuclei.centres[index])[:, None]
    y = y[:, None]
    turned, waves = nuclei.turned[index]
    u, v = x * np.cos(turned) + y * np.sin(turned), y * np.cos(turned) - x * np.sin(turned)
    long, short = nuclei.semi_axes[index]
    away = np.hypot(u / long, v / short) / (1 + WAVY * np.cos(3 * np.arctan2(v, u) + waves))
    grain = cv2.GaussianBlur(rng.standard_normal((side, side), np.float32), None, 1.5)
    profile = (
        nuclei.bright[index] * np.sqrt(np.clip(1.2 - away**2, 0, 1)) * np.exp(GRAIN * grain / grain.std())
    )
    return np.where(away <= 1, profile, 0).astype(np.float32)
