"""SYNTHETIC look-alikes of phase-contrast cells, in Kaggle's own layout, for where there are no real data.

A cell delays light; a phase-contrast microscope shows a delay as darkness, less the mean of its surroundings:
hence the bright halo around a cell and the grey inside of a broad one. Where a cell delays light by more
than half a wave, dark turns bright again. Cells are stars, spindles with neurites and spheres, many of them
touching; light is uneven, specks lie about, the camera is noisy.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from kerasseg.annotations import kaggle, rle
from kerasseg.console import track
from kerasseg.images.files import write
from kerasseg.synthetic.origin import synthetic_folder

COLUMNS = ("cell_type", "plate_time", "sample_date", "sample_id", "elapsed_timedelta")
IMAGES_PER_SAMPLE = 2

CELLS = 26 / (520 * 704)  # for each pixel
TOUCHING = 0.4  # share of the cells that lie beside the one before
SPECKS = 160 / (520 * 704)
HALOS = ((3.5, 0.72), (9.0, 0.27))  # pixels over which means of the surroundings are taken, and their shares


def synthesize(root: Path, *, images: int = 48, size: tuple[int, int] = (520, 704), seed: int = 0) -> None:
    """Write synthetic data: ``train.csv``, ``train/*.png`` and a marker that keeps their origin known.

    Parameters
    ----------
    root : Path
        The folder to appear, complete or not at all; an empty one may be there.
    images : int, default 48
        How many; two of them share a ``sample_id``.
    size : tuple of int, default (520, 704)
        Height and width in pixels.
    seed : int, default 0
        The same seed writes the same files.

    Raises
    ------
    UserError
        If there is anything in `root`, or it cannot be written.
    """
    with synthetic_folder(root, f"{images} synthetic images, seed {seed}; no cell was ever here.") as folder:
        (folder / "train").mkdir()
        with (folder / "train.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow([*kaggle.SARTORIUS.all, *COLUMNS])
            for index in track(range(images), "making SYNTHETIC images"):
                image, labels = phase_contrast(size, np.random.default_rng((seed, index)))
                name = f"synthetic{index:04d}"
                sample = f"synthetic_{index // IMAGES_PER_SAMPLE:03d}"
                write(folder / "train" / f"{name}.png", image)
                for runs in rle.encode_labels(labels).values():
                    row = [name, " ".join(map(str, runs)), size[1], size[0]]
                    table.writerow([*row, "synthetic", "0h00m", "2000-01-01", sample, "0 days"])


def phase_contrast(size: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw one synthetic field of view.

    Parameters
    ----------
    size : tuple of int
        Height and width in pixels.
    rng : numpy.random.Generator
        Decides.

    Returns
    -------
    image : numpy.ndarray, shape (Y, X), uint8
    labels : numpy.ndarray, shape (Y, X), int32
        One id a cell; later cells cover earlier ones.
    """
    labels = np.zeros(size, np.int32)
    delay = _specks(size, rng)
    grain = _organelles(size, rng)
    for number, centre in enumerate(_centres(size, rng), start=1):
        draw, thickness = KINDS[rng.choice(len(KINDS), p=SHARES)]
        cell = np.zeros(size, np.uint8)
        draw(cell, centre, rng)
        labels[cell > 0] = number
        _add_delay(delay, cell, thickness * rng.uniform(0.7, 1.3), grain)
    return _photograph(delay, rng), labels


def _centres(size: tuple[int, int], rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Place cells, some of them beside the one before, so that they touch."""
    centre = rng.uniform((0, 0), size)
    for _ in range(max(int(rng.normal(CELLS, CELLS / 4) * size[0] * size[1]), 2)):
        near = centre + rng.normal(0, 25, 2)
        beside = rng.random() < TOUCHING and ((near > 0) & (near < size)).all()
        centre = near if beside else rng.uniform((0, 0), size)
        yield centre


def _star(canvas: np.ndarray, centre: np.ndarray, rng: np.random.Generator) -> None:
    """Draw a flat cell stretched between three to six tips."""
    tips = rng.integers(3, 8)
    angles = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.uniform(0.5, 1.8, tips)) * 6 / tips
    reach = rng.exponential(22, tips).clip(4, 60)
    _blob(canvas, centre, rng.uniform(9, 20), angles, reach, rng.uniform(0.13, 0.45, tips), rng)


def _spindle(canvas: np.ndarray, centre: np.ndarray, rng: np.random.Generator) -> None:
    """Draw a narrow cell between two tips, which go on as neurites."""
    angles = rng.uniform(0, 2 * np.pi) + np.array([0, np.pi]) + rng.normal(0, 0.25, 2)
    reach = rng.uniform(15, 50, 2)
    _blob(canvas, centre, rng.uniform(6, 11), angles, reach, rng.uniform(0.2, 0.4, 2), rng)
    for angle, length in zip(angles, reach, strict=True):
        tip = centre + 0.7 * length * np.array([np.sin(angle), np.cos(angle)])
        _neurite(canvas, tip, angle, rng)


def _sphere(canvas: np.ndarray, centre: np.ndarray, rng: np.random.Generator) -> None:
    """Draw a cell that has let go of the ground, to divide or to die."""
    _blob(canvas, centre, rng.uniform(8, 12), np.zeros(1), np.zeros(1), np.ones(1), rng)


Draw = Callable[[np.ndarray, np.ndarray, np.random.Generator], None]
KINDS: list[tuple[Draw, float]] = [(_star, 0.8), (_spindle, 1.4), (_sphere, 4.5)]  # delays in radians
SHARES = (0.4, 0.5, 0.1)


def _blob(
    canvas: np.ndarray,
    centre: np.ndarray,
    radius: float,
    angles: np.ndarray,
    reach: np.ndarray,
    widths: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Fill a wavy circle drawn out to tips at `angles`, `reach` pixels long and `widths` radians wide."""
    around = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    waves = sum(rng.normal(0, 0.06) * np.sin(n * around + rng.uniform(0, 7)) for n in (2, 3, 5, 8))
    apart = np.angle(np.exp(1j * (around[:, None] - angles)))
    outline = radius * (1 + waves) + (reach * np.exp(-(np.abs(apart / widths) ** 1.3))).sum(axis=1)
    points = centre[:, None] + outline * np.stack([np.sin(around), np.cos(around)])
    cv2.fillPoly(canvas, [_points(points)], 1)


def _neurite(canvas: np.ndarray, start: np.ndarray, angle: float, rng: np.random.Generator) -> None:
    """Walk away from a tip, thinner with each step."""
    width = rng.uniform(2, 6)
    while width > 1.5:
        angle += rng.normal(0, 0.2)
        end = start + 6 * np.array([np.sin(angle), np.cos(angle)])
        cv2.line(canvas, *_points(np.stack([start, end], axis=1)).tolist(), 1, round(width))
        start = end
        width *= rng.uniform(0.85, 0.97)


def _points(yx: np.ndarray) -> np.ndarray:
    """Turn rows and columns (2, N) into OpenCV's points (N, 2), int32 of x, y."""
    return np.round(yx[::-1].T).astype(np.int32)


def _organelles(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Make what is inside cells: grains and folds, mean 1."""
    fine, coarse = (_smooth(rng.normal(size=size), sigma) for sigma in (1.3, 5.0))
    return np.clip(1 + 0.3 * fine / fine.std() + 0.2 * coarse / coarse.std(), 0.1, 2.5)


def _specks(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Strew debris over the ground."""
    delay = np.zeros(size, np.float32)
    for y, x in rng.uniform((0, 0), size, (int(SPECKS * size[0] * size[1]), 2)):
        for step in rng.normal(0, 1.5, (rng.integers(1, 5), 2)):
            cv2.circle(delay, (int(x + step[0]), int(y + step[1])), 1, rng.exponential(0.2), -1)
    return delay


def _add_delay(delay: np.ndarray, cell: np.ndarray, thickness: float, grain: np.ndarray) -> None:
    """Add how much a cell delays light: more where it is thick, which is far from its border."""
    x, y, width, height = cv2.boundingRect(cell)
    if not width:
        return
    box = np.s_[y : y + height, x : x + width]
    depth = cv2.distanceTransform(np.pad(cell[box], 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    profile = np.sqrt(np.minimum(depth / 9, 1))
    delay[box] = np.maximum(delay[box], thickness * profile * grain[box])


def _photograph(delay: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Show delay as a microscope does, under uneven light, with noise, as uint8."""
    focused = _smooth(delay, 0.8)
    surroundings = sum(share * _smooth(np.sin(np.minimum(focused, np.pi / 2)), halo) for halo, share in HALOS)
    contrast = np.sin(np.minimum(focused, 1.5 * np.pi)) - surroundings
    waves = cv2.resize(rng.normal(0, 5, (3, 4)), delay.shape[::-1], interpolation=cv2.INTER_CUBIC)
    ground = _smooth(rng.normal(size=delay.shape), 1.5) * 10
    image = rng.uniform(98, 116) + waves + ground - 200 * contrast + rng.normal(0, 1.5, delay.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def _smooth(image: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(image.astype(np.float32), None, sigma)
