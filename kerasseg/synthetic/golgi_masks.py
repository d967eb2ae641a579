"""Synthetic masks of nucleus-Golgi pairs: ellipsoids and spheres, turned at random and bent elastically.

A pair is drawn in micrometres in a box of its own and put where no other pair is. Each voxel asks where it
came from before the pair was bent: as no point comes from two places, a nucleus and its Golgi stay apart.
So does A. Henriques da Rosa (Deep Learning Methods for the Segmentation of Fluorescent Microscopy Images,
section 4.1.1), who leaves sizes open; those below are usual for endothelial cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasseg.errors import UserError

Size = tuple[int, int, int]
Spacing = tuple[float, float, float]

SPACING: Spacing = (0.5, 0.3, 0.3)
PAIRS = (40, 90)
CHANNELS = ("golgi", "nuclei", "pair")
GOLGI, NUCLEUS = 0, 1

SEMI_AXES = ((4.5, 7.0), (2.5, 3.5), (1.8, 2.6))  # of a nucleus
RADIUS = (1.1, 2.1)  # of a Golgi
GAP = (0.2, 2.0)  # between the two
BEND = 0.9  # standard deviation by which control points move
GRID = 4.0  # from one control point to the next
FOLDING = 0.4  # of GRID: points that move less keep their order (Choi & Lee, 10.1145/344779.344865)
FAILURES = 40  # places tried in a row before a volume counts as full


@dataclass(frozen=True)
class Pair:
    """A nucleus around the origin and its Golgi, before they are bent, in micrometres (z, y, x).

    Attributes
    ----------
    semi_axes : numpy.ndarray, shape (3,)
        Of the nucleus, the longest first.
    rotation : numpy.ndarray, shape (3, 3)
        Its columns are the directions of the semi-axes.
    golgi : numpy.ndarray, shape (3,)
        Centre of the Golgi.
    radius : float
        Of the Golgi.
    """

    semi_axes: np.ndarray
    rotation: np.ndarray
    golgi: np.ndarray
    radius: float

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Opposite corners of the box around both, shape (3,) each."""
        reach = np.linalg.norm(self.rotation * self.semi_axes, axis=1)
        return np.minimum(-reach, self.golgi - self.radius), np.maximum(reach, self.golgi + self.radius)


@dataclass(frozen=True)
class Scene:
    """Pairs in a volume.

    Attributes
    ----------
    labels : numpy.ndarray, shape (Z, Y, X, 2), uint16
        Golgi and nuclei; the two of a pair have the same number, 0 is background.
    centres : numpy.ndarray, shape (N, 2, 3), float64
        Centres of the visible voxels of Golgi and nucleus of the pair N + 1, in micrometres (z, y, x) from
        the centre of the first voxel; NaN where a part lies outside.
    """

    labels: np.ndarray
    centres: np.ndarray

    @property
    def complete(self) -> np.ndarray:
        """Whether both parts of a pair are seen, shape (N,), bool."""
        return ~np.isnan(self.centres).any(axis=(1, 2))

    def masks(self) -> np.ndarray:
        """Paint Golgi, nuclei and pairs: an array (Z, Y, X, 3) of 0 and 255, uint8.

        A pair is its nucleus and its Golgi together (Narotamo et al., Joint segmentation and pairing of
        nuclei and Golgi in 3D microscopy images, EMBC 2021); a nucleus or Golgi whose partner lies outside
        belongs to none.
        """
        paired = np.r_[False, self.complete]
        pair = paired[self.labels[..., GOLGI]] | paired[self.labels[..., NUCLEUS]]
        return np.concatenate([self.labels > 0, pair[..., None]], axis=-1) * np.uint8(255)


def random_pair(rng: np.random.Generator) -> Pair:
    """Draw sizes, distance and rotation, all uniformly; the Golgi lies before a tip of the nucleus."""
    semi_axes = np.array([rng.uniform(*limits) for limits in SEMI_AXES])
    rotation = random_rotation(rng)
    radius = rng.uniform(*RADIUS)
    ahead = np.array([1.0, 0.0, 0.0]) + rng.normal(0, 0.35, 3)
    ahead = rotation @ (ahead / np.linalg.norm(ahead))
    surface = 1 / np.linalg.norm((rotation.T @ ahead) / semi_axes)
    return Pair(semi_axes, rotation, (surface + rng.uniform(*GAP) + radius) * ahead, radius)


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    """Draw a rotation matrix (3, 3), all rotations being equally likely."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return q * np.linalg.det(q)


def rasterise(
    pair: Pair, spacing: Spacing, rng: np.random.Generator, *, bend: float = BEND
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a pair, bent by a free-form deformation, into the smallest box that holds it.

    Parameters
    ----------
    pair : Pair
        In micrometres.
    spacing : tuple of float
        Voxel size (z, y, x) in micrometres.
    rng : numpy.random.Generator
        Decides how the pair is bent.
    bend : float, default BEND
        Standard deviation of the deformation in micrometres; 0 leaves ellipsoid and sphere as they are.

    Returns
    -------
    parts : numpy.ndarray, shape (Z, Y, X, 2), bool
        Golgi and nucleus; no voxel is of both.
    corner : numpy.ndarray, shape (3,), int
        The box's first voxel, where the voxel (0, 0, 0) has its centre in that of the nucleus.
    """
    room = min(3 * bend, FOLDING * GRID)
    low, high = (corner / spacing for corner in pair.bounds)
    first = np.floor(low - room / np.array(spacing)).astype(int)
    last = np.ceil(high + room / np.array(spacing)).astype(int)
    axes = [
        np.arange(a, b + 1, dtype=np.float32) * np.float32(step)
        for a, b, step in zip(first, last, spacing, strict=True)
    ]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    if bend:
        points += _free_form(axes, bend, room, rng)
    from_nucleus = points @ (pair.rotation / pair.semi_axes).astype(np.float32)
    nucleus = np.einsum("zyxi,zyxi->zyx", from_nucleus, from_nucleus) <= 1
    from_golgi = points - pair.golgi.astype(np.float32)
    golgi = np.einsum("zyxi,zyxi->zyx", from_golgi, from_golgi) <= pair.radius**2
    golgi &= ~nucleus  # a Golgi beside the tip of its nucleus may reach into it, and gives way
    return np.stack([golgi, nucleus], axis=-1), first


def _free_form(axes: list[np.ndarray], bend: float, room: float, rng: np.random.Generator) -> np.ndarray:
    """Move points as cubic B-splines between control points do (Rueckert et al., 10.1109/42.796284)."""
    weights = [_b_splines(axis) for axis in axes]
    moves = rng.normal(0, bend, (*(weight.shape[1] for weight in weights), 3))
    moves = moves.clip(-room, room).astype(np.float32)
    for weight in weights:  # each turn takes the first axis and appends its like before the components
        moves = np.moveaxis(np.tensordot(weight, moves, 1), 0, 2)
    return moves


def _b_splines(axis: np.ndarray) -> np.ndarray:
    """Weigh control points GRID apart for each position: an array (len(axis), points) with rows of sum 1."""
    controls = np.arange(axis[0] - GRID, axis[-1] + 2 * GRID, GRID)
    away = np.abs(axis[:, None] - controls) / GRID
    near, far = 2 / 3 - away**2 + away**3 / 2, (2 - away).clip(0) ** 3 / 6
    return np.where(away < 1, near, far).astype(np.float32)


def draw_scene(
    size: Size,
    rng: np.random.Generator,
    *,
    spacing: Spacing = SPACING,
    pairs: tuple[int, int] = PAIRS,
    bend: float = BEND,
) -> Scene:
    """Put pairs at random into a volume; none overlaps another, borders cut through some.

    Parameters
    ----------
    size : tuple of int
        Planes, height and width in voxels.
    rng : numpy.random.Generator
        Decides.
    spacing : tuple of float, default SPACING
        Voxel size (z, y, x) in micrometres.
    pairs : tuple of int, default PAIRS
        The fewest and the most; a volume that is full before holds fewer.
    bend : float, default BEND
        As in :func:`rasterise`.

    Returns
    -------
    Scene

    Raises
    ------
    UserError
        If `size`, `spacing` or `pairs` make no sense.
    """
    if len(size) != 3 or min(size) < 1:
        raise UserError(f"size: {size}; expected planes, height and width of at least 1 voxel")
    if len(spacing) != 3 or not min(spacing) > 0:
        raise UserError(f"spacing: {spacing}; expected three voxel sizes above 0 in micrometres (z, y, x)")
    if not 0 <= pairs[0] <= pairs[1] < 2**16:
        raise UserError(f"pairs: {pairs}; expected the fewest and the most, from 0 to {2**16 - 1}")
    labels = np.zeros((*size, 2), np.uint16)
    centres = []
    failures = 0
    wanted = int(rng.integers(pairs[0], pairs[1] + 1))
    while len(centres) < wanted and failures < FAILURES:
        parts, corner = rasterise(random_pair(rng), spacing, rng, bend=bend)
        corner = corner + rng.integers(0, size)
        first = np.maximum(corner, 0)  # the volume's borders cut it off
        last = np.minimum(corner + parts.shape[:3], size)
        seen = parts[tuple(map(slice, first - corner, last - corner))]
        taken = labels[tuple(map(slice, first, last))]
        either = seen.any(axis=-1)
        if not either.any() or taken[either].any():
            failures += 1
            continue
        failures = 0
        taken[seen] = len(centres) + 1
        centres.append([_centre(seen[..., part], first, spacing) for part in (GOLGI, NUCLEUS)])
    return Scene(labels, np.array(centres).reshape(-1, 2, 3))


def _centre(part: np.ndarray, corner: np.ndarray, spacing: Spacing) -> np.ndarray:
    """Find the middle of a part's voxels in micrometres; NaN where there is none."""
    if not part.any():
        return np.full(3, np.nan)
    return (np.argwhere(part).mean(axis=0) + corner) * spacing
