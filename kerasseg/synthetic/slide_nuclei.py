"""Nuclei in tissue, seen from above: where they lie, and what each looks like.

Tissue lies in patches of uneven density, with large empty regions between. Nuclei keep a distance from each
other (a Matérn hard-core process of type II), though the longer ones touch; some shine far less than others.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import cKDTree

Size = tuple[int, int]

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


@dataclass(frozen=True)
class Tissue:
    """Where tissue is: patches with their centres y, x and radii (shares of the slide), and densities."""

    size: Size
    patches: np.ndarray  # (PATCHES, 4)

    def __call__(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Tell how much tissue there is at pixels, from 0 to 1; `y` and `x` broadcast."""
        height, width = self.size
        most = np.zeros(np.broadcast_shapes(y.shape, x.shape), np.float32)
        for at_y, at_x, radius, density in self.patches:
            down = np.exp(-0.5 * ((y / height - at_y) / radius) ** 2)
            along = np.exp(-0.5 * ((x / width - at_x) / radius) ** 2)
            most = np.maximum(most, density * down * along)
        return most


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


def tissue(size: Size, rng: np.random.Generator) -> Tissue:
    """Draw patches of tissue, spread over the width of a slide."""
    y, along = rng.uniform(0, 1, (2, PATCHES))
    densities = rng.permutation(np.linspace(*DENSITY, PATCHES))
    x = (np.arange(PATCHES) + along) / PATCHES
    return Tissue(size, np.stack([y, x, rng.uniform(*RADIUS, PATCHES), densities], axis=1))


def scattered(tissue: Tissue, border: int, rng: np.random.Generator) -> Nuclei:
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
    centres, many = centres[np.argsort(centres[:, 0])], len(centres)
    semi_axes = np.stack([rng.uniform(*limits, many) for limits in SEMI_AXES], axis=1)
    bright = BRIGHT[0] * rng.lognormal(0, BRIGHT[1], many)
    return Nuclei(centres, semi_axes, rng.uniform(0, 2 * np.pi, (many, 2)), bright)


def stained(nuclei: Nuclei, rows: slice, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
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
    for at in nuclei.within(rows):
        corner = np.floor(nuclei.centres[at]).astype(int) - REACH
        own = _nucleus(nuclei, at, corner, np.random.default_rng((seed, 2, at)))
        top, left = max(corner[0], rows.start), max(corner[1], 0)
        own = own[top - corner[0] : max(0, rows.stop - corner[0]), left - corner[1] : width - corner[1]]
        place = np.s_[top - rows.start : top - rows.start + own.shape[0], left : left + own.shape[1]]
        free = (own > 0) & (numbers[place] == 0)
        light[place][free], numbers[place][free] = own[free], at + 1
    return light, numbers


def _nucleus(nuclei: Nuclei, at: int, corner: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one nucleus into a box of its own, float32; 0 where it is not."""
    side = 2 * REACH + 1
    y, x = np.arange(side) + (corner - nuclei.centres[at])[:, None]
    y = y[:, None]
    turned, waves = nuclei.turned[at]
    u, v = x * np.cos(turned) + y * np.sin(turned), y * np.cos(turned) - x * np.sin(turned)
    long, short = nuclei.semi_axes[at]
    away = np.hypot(u / long, v / short) / (1 + WAVY * np.cos(3 * np.arctan2(v, u) + waves))
    grain = cv2.GaussianBlur(rng.standard_normal((side, side), np.float32), None, 1.5)
    profile = nuclei.bright[at] * np.sqrt(np.clip(1.2 - away**2, 0, 1)) * np.exp(GRAIN * grain / grain.std())
    return np.where(away <= 1, profile, 0).astype(np.float32)
