"""How long the outlines of objects are, and how large their surfaces: what is counted at their borders.

Crofton's formula: lines of every direction cross a surface in proportion to its area, and the lines from
pixel to pixel stand for all others. Thirteen directions in a volume (four in an image) are weighted by the
part of the sphere that is nearest to each, whatever the shape of a voxel (Ohser and Muecklich 2000,
Statistical Analysis of Microstructures in Materials Science, chapter 5). Faces of voxels added up would give
half as much again as there is.

Benkrid and Crookes' perimeter of an image follows the outermost pixels of an object from centre to centre; it
is what `skimage.measure.perimeter` gives.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

# Lines that lie one to a unit, of length in an image and of area in a volume, cross a border twice where they
# meet the body's shadow: in the mean of all directions the perimeter over pi, and a quarter of the surface.
PER_CROSSING = {2: math.pi / 2, 3: 4 / 2}

# The step along an outline at a pixel, by one and twice its neighbours and ten times its diagonal ones on it.
STEPS = {1: (5, 7, 15, 17, 25, 27), math.sqrt(2): (21, 33), (1 + math.sqrt(2)) / 2: (13, 23)}
STEP_AT = np.zeros(50, np.intp)
for _number, _codes in enumerate(STEPS.values(), start=1):
    STEP_AT[list(_codes)] = _number
MARGIN = {2: 2, 3: 1}
"""Rows or planes that must be known on both sides of those whose borders are counted, by the number of axes:
whether a pixel lies on an outline depends on its neighbours, and a step on theirs."""


def count_borders(framed: np.ndarray, count: int) -> np.ndarray:
    """Count at the borders of the objects 1..N what their surfaces or perimeters follow from.

    Parameters
    ----------
    framed : np.ndarray
        (M + rows + M, 1 + X + 1) or (M + planes + M, 1 + Y + 1, 1 + X + 1) integer labels: with `MARGIN` rows
        or planes of what lies before and behind, and a frame of background. What the border of the image cuts
        is a border too.
    count : int
        N.

    Returns
    -------
    np.ndarray
        (D, N + 1) int64: how often lines of each of `half_of_directions` cross the borders; then in an image
        the number of steps of each of `STEPS`.
    """
    flat, strides = framed.ravel(), np.array(framed.strides) // framed.itemsize
    places = np.flatnonzero(uneven(framed) & (framed > 0))
    margin = MARGIN[framed.ndim] * int(strides[0])
    own = places[slice(*np.searchsorted(places, (margin, flat.size - margin)))]
    objects = flat[own]

    farthest = int(strides.sum())  # no object lies nearer to the first pixel: there is the frame
    shifted = own - farthest

    def counted(weights: np.ndarray) -> np.ndarray:
        return np.bincount(objects, weights, count + 1)

    def others(offset: int) -> np.ndarray:
        return np.take(flat[farthest + offset :], shifted) != objects

    offsets = (np.array(half_of_directions(framed.ndim)) @ strides).tolist()
    counts = [counted(np.add(others(offset), others(-offset), dtype=np.float64)) for offset in offsets]
    if framed.ndim == 2:
        steps = _steps(flat, places, own, int(strides[0]))
        counts += [counted(steps == number) for number in range(1, len(STEPS) + 1)]
    return np.array(counts).astype(np.int64)


def uneven(labels: np.ndarray) -> np.ndarray:
    """Find the pixels of which one of the 8 or 26 neighbours holds another label: bool of the same shape."""
    found = np.zeros(labels.shape, bool)
    for axis in reversed(range(labels.ndim)):
        ahead, behind = ((slice(None),) * axis + (part,) for part in (slice(1, None), slice(None, -1)))
        wider = found.copy()
        wider[ahead] |= found[behind]
        wider[behind] |= found[ahead]
        differ = labels[ahead] != labels[behind]
        wider[ahead] |= differ
        wider[behind] |= differ
        found = wider
    return found


def _steps(flat: np.ndarray, places: np.ndarray, own: np.ndarray, row: int) -> np.ndarray:
    """Tell which of `STEPS` an outline takes at pixels: 0 where none.

    On it are the pixels of an object that have another label beside, above or below.
    """
    inner = places[slice(*np.searchsorted(places, (row, flat.size - row)))]
    outline = np.zeros(flat.size, bool)
    outline[inner] = np.any([flat[inner + step] != flat[inner] for step in (-1, 1, -row, row)], axis=0)
    code = np.ones(own.size, np.intp)
    for weight, steps in {2: (-1, 1, -row, row), 10: (-row - 1, -row + 1, row - 1, row + 1)}.items():
        for step in steps:
            code += weight * (outline[own + step] & (flat[own + step] == flat[own]))
    return np.where(outline[own], STEP_AT[code], 0)


def surfaces(borders: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Give the surface of objects in a volume, or their perimeter in an image, by Crofton's formula.

    Parameters
    ----------
    borders : np.ndarray
        (D, N) of `count_borders`.
    spacing : sequence of float
        Size of a pixel along each of the two or three axes.

    Returns
    -------
    np.ndarray
        (N,) float64 in the unit of the spacing, in a volume squared.
    """
    directions = np.array(half_of_directions(len(spacing)))
    lengths = np.linalg.norm(directions * spacing, axis=1)
    per_line = math.prod(spacing) / lengths  # the area that a line of a direction stands for
    weights = PER_CROSSING[len(spacing)] * direction_weights(spacing) * per_line
    return weights @ borders[: len(directions)]


def perimeters(borders: np.ndarray) -> np.ndarray:
    """Give the perimeter of objects in an image by Benkrid and Crookes: (N,) float64 in pixels.

    Parameters
    ----------
    borders : np.ndarray
        (D, N) of `count_borders`.
    """
    return np.array(list(STEPS)) @ borders[-len(STEPS) :]


def half_of_directions(axes: int) -> list[tuple[int, ...]]:
    """List the steps to the neighbours of a pixel, one of each two that are opposite: 4 or 13."""
    steps = itertools.product((0, 1, -1), repeat=axes)
    return [step for step in steps if step > (0,) * axes]


def direction_weights(spacing: Sequence[float]) -> np.ndarray:
    """Give the part of all directions that is nearest to each of `half_of_directions`: they sum to 1."""
    ways = np.array(half_of_directions(len(spacing)), float) * spacing
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    if len(spacing) == 3:
        from scipy.spatial import SphericalVoronoi  # a tenth of a second that labels do without

        cells = SphericalVoronoi(np.concatenate([ways, -ways]))
        cells.sort_vertices_of_regions()
        return cells.calculate_areas()[: len(ways)] / (2 * math.pi)
    angles = np.arctan2(ways[:, 0], ways[:, 1]) % math.pi
    order = np.argsort(angles)
    gaps = np.diff(angles[order], append=angles[order[0]] + math.pi)
    weights = np.empty(len(ways))
    weights[order] = (gaps + np.roll(gaps, 1)) / 2 / math.pi
    return weights
