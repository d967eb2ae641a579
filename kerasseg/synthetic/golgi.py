"""SYNTHETIC volumes of nucleus-Golgi pairs with their truth, for where there are no real data.

`kerasseg.synthetic.golgi_masks` draws the pairs. Of these a confocal microscope shows nuclei (GFP) and
Golgi (mCherry): cells take up their stains unequally, chromatin and Golgi stacks are grainy, specks shine
in between. The microscope blurs along z more than within a plane and lets some haze through; light from
deep in the tissue and from the field's edge is weaker. Detectors count photons, see a little of the other
stain, and add noise of their own. How bright a volume is differs from one to the next, as laser power does.
"""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

from kerasseg.console import track
from kerasseg.errors import UserError
from kerasseg.files import write_atomically
from kerasseg.images.writing.result import Result
from kerasseg.images.writing.tiff import write_tiff
from kerasseg.synthetic.golgi_masks import (
    CHANNELS,
    GOLGI,
    NUCLEUS,
    PAIRS,
    SPACING,
    Scene,
    Size,
    Spacing,
    draw_scene,
)
from kerasseg.synthetic.origin import synthetic_folder

STAINS = ("golgi", "nuclei")
COLUMNS = ("pair", "nucleus_z", "nucleus_y", "nucleus_x", "golgi_z", "golgi_y", "golgi_x")

ABOUT = """\
SYNTHETIC volumes of nucleus-Golgi pairs, made by: kerasseg data synthesize golgi

No cell was ever here. Nuclei are ellipsoids and Golgi spheres, of random size, distance and rotation, bent
elastically; no two overlap, and borders cut through some. Files of one name belong together.

images/  what a confocal microscope would show of them: golgi, nuclei; absent where only masks were wanted
masks/   0 or 255: golgi, nuclei, pair; a pair is its nucleus and its Golgi, where both can be seen
labels/  numbers: golgi, nuclei; those of a pair have the same number
pairs/   where the nucleus and the Golgi of each pair have their centres, where both can be seen: z, y and x
         in micrometres from the centre of the first voxel

All volumes are OME-TIFF, ZCYX; they say how large a voxel is.
"""

# Golgi first. Lengths are in micrometres and brightness is a share of a usual cell's.
CELLS = (0.45, 0.4)  # standard deviation of the logarithm of brightness, from cell to cell
GRAINS = ((0.4, 0.7), (0.5, 0.45))  # their size; standard deviation of the logarithm of brightness
BACKGROUND = (0.1, 0.12)  # of tissue between cells
BLEEDING = (0.08, 0.03)  # how much a detector sees of the other stain
PHOTONS = (15.0, 60.0)  # that a usual cell sends from a voxel; volumes and stains differ

CLOUDS = 15.0  # width of brighter and darker regions of the background
SPECKS = 5e-4  # for each cubic micrometre, in each channel
SPECK = 0.5  # what one shines on average, as so many cubic micrometres of a usual cell
FOCUS = (0.7, 0.2)  # standard deviations of the blur along z and in a plane,
HAZE = (2.5, 1.2)  # and of light from out of focus,
HAZE_SHARE = 0.25  # which is part of all light
DEPTH = 50.0  # from where light comes back weaker by a factor of e
EDGE = 0.4  # of the light is missing in the corner farthest from the beam

LEVELS_PER_PHOTON = 1.5
DARK = 6.0  # what a detector says without light
READOUT = 1.5  # standard deviation of its noise


def synthesize(
    root: Path,
    *,
    volumes: int = 6,
    size: Size = (60, 192, 192),
    seed: int = 0,
    masks_only: bool = False,
    pairs: tuple[int, int] = PAIRS,
    spacing: Spacing = SPACING,
) -> None:
    """Write synthetic volumes: ``images``, ``masks``, ``labels``, ``pairs`` and a marker of their origin.

    Parameters
    ----------
    root : Path
        The folder to appear, complete or not at all; an empty one may be there.
    volumes : int, default 6
        How many.
    size : tuple of int, default (60, 192, 192)
        Planes, height and width in voxels. The thesis' crops are of 55 to 61 planes, 257 x 505 to 627 x 818.
    seed : int, default 0
        The same seed writes the same files.
    masks_only : bool, default False
        Leave ``images`` out, and draw other pairs than those that the same seed puts into images.
    pairs : tuple of int, default (40, 90)
        The fewest and the most in a volume; as in :func:`kerasseg.synthetic.golgi_masks.draw_scene`.
    spacing : tuple of float, default (0.5, 0.3, 0.3)
        Voxel size (z, y, x) in micrometres.

    Raises
    ------
    UserError
        If there is anything in `root`, it cannot be written, or an argument makes no sense.
    """
    if volumes < 1:
        raise UserError(f"volumes: {volumes}; expected at least 1")
    if seed < 0:
        raise UserError(f"seed: {seed}; expected 0 or more")
    kind = "masks of volumes" if masks_only else "volumes"
    with synthetic_folder(root, f"{volumes} synthetic {kind}, seed {seed}; no cell was ever here.") as folder:
        (folder / "README.txt").write_text(ABOUT, encoding="utf-8")
        for index in track(range(volumes), f"making SYNTHETIC {kind}"):
            name = f"golgi{index:04d}"
            rng = np.random.default_rng((seed, int(masks_only), index))
            scene = draw_scene(size, rng, spacing=spacing, pairs=pairs)
            _write_truth(folder, name, scene, spacing)
            if not masks_only:
                image = fluorescence(scene, rng, spacing=spacing)
                _write(folder / "images" / f"{name}.tif", image, STAINS, spacing, "area")


def _write_truth(folder: Path, name: str, scene: Scene, spacing: Spacing) -> None:
    _write(folder / "masks" / f"{name}.tif", scene.masks(), CHANNELS, spacing, "nearest")
    _write(folder / "labels" / f"{name}.tif", scene.labels, STAINS, spacing, "nearest")
    with (
        write_atomically(folder / "pairs" / f"{name}.csv") as path,
        path.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for index in np.flatnonzero(scene.complete):
            centres = scene.centres[index, [NUCLEUS, GOLGI]].ravel()
            table.writerow([index + 1, *(f"{length:.3f}" for length in centres)])


def _write(path: Path, pixels: np.ndarray, channels: tuple[str, ...], spacing: Spacing, shrink: str) -> None:
    write_tiff(path, Result(pixels, "ZYXC", tuple(spacing), shrink, channels))


def fluorescence(scene: Scene, rng: np.random.Generator, *, spacing: Spacing = SPACING) -> np.ndarray:
    """Photograph a scene.

    Parameters
    ----------
    scene : Scene
        Where nuclei and Golgi are.
    rng : numpy.random.Generator
        Decides all else.
    spacing : tuple of float, default SPACING
        Voxel size (z, y, x) in micrometres.

    Returns
    -------
    numpy.ndarray, shape (Z, Y, X, 2), uint8
        Golgi (mCherry) and nuclei (GFP).
    """
    lights = [_emitted(scene.labels[..., part], part, spacing, rng) for part in (GOLGI, NUCLEUS)]
    beam = _beam(scene.labels.shape[:3], spacing, rng)
    for light in lights:
        light *= beam
    return _detect(lights, rng)


def _emitted(labels: np.ndarray, part: int, spacing: Spacing, rng: np.random.Generator) -> np.ndarray:
    """Say how much light of a stain reaches the detector under an even beam: (Z, Y, X) float32."""
    light = _stained(labels, part, spacing, rng)
    _add_specks(light, spacing, rng)
    haze = _blur(light, HAZE, spacing)
    light = (1 - HAZE_SHARE) * _blur(light, FOCUS, spacing)
    light += HAZE_SHARE * haze
    light += BACKGROUND[part] * _clouds(light.shape, spacing, rng)
    return light


def _stained(labels: np.ndarray, part: int, spacing: Spacing, rng: np.random.Generator) -> np.ndarray:
    """Give each cell a brightness of its own, and its inside grains."""
    size, contrast = GRAINS[part]
    grain = _blur(rng.standard_normal(labels.shape, np.float32), (size, size), spacing)
    inside = labels > 0
    grain *= contrast / max(float(grain.std()), np.finfo(np.float32).tiny)
    cells = rng.lognormal(0, CELLS[part], int(labels.max()) + 1).astype(np.float32)
    stained = np.zeros(labels.shape, np.float32)
    stained[inside] = cells[labels[inside]] * np.exp(grain[inside])
    return stained


def _add_specks(light: np.ndarray, spacing: Spacing, rng: np.random.Generator) -> None:
    """Strew dust, too small to be seen as anything but the microscope's own blur."""
    voxel = np.prod(spacing)
    count = rng.poisson(SPECKS * voxel * light.size)
    light.ravel()[rng.integers(0, light.size, count)] += rng.exponential(SPECK / voxel, count)


def _clouds(shape: tuple[int, ...], spacing: Spacing, rng: np.random.Generator) -> np.ndarray:
    """Make slow changes from place to place around 1: (Z, Y, X) float32."""
    depth, *plane = (max(2, round(n * step / CLOUDS)) for n, step in zip(shape, spacing, strict=True))
    coarse = rng.normal(0, 0.5, (depth, *plane)).astype(np.float32)
    planes = np.stack([cv2.resize(values, shape[:0:-1], interpolation=cv2.INTER_CUBIC) for values in coarse])
    clouds = cv2.resize(planes.reshape(depth, -1), (planes[0].size, shape[0])).reshape(shape)
    return np.exp(clouds, out=clouds)


def _blur(volume: np.ndarray, sigmas: tuple[float, float], spacing: Spacing) -> np.ndarray:
    """Blur by Gaussians as wide along z and in a plane as `sigmas` say, in micrometres."""
    z, y, x = (sigma / step for sigma, step in zip((sigmas[0], sigmas[1], sigmas[1]), spacing, strict=True))
    blurred = np.stack([cv2.GaussianBlur(plane, None, x, sigmaY=y) for plane in volume])
    column = (1, 2 * round(4 * z) + 1)
    for row in range(volume.shape[1]):
        blurred[:, row] = cv2.GaussianBlur(blurred[:, row], column, 1, sigmaY=z)
    return blurred


def _beam(shape: tuple[int, ...], spacing: Spacing, rng: np.random.Generator) -> np.ndarray:
    """Say how much light goes to each place and comes back: brightest somewhere in the first plane."""
    depth = np.exp(-np.arange(shape[0]) * spacing[0] / DEPTH)
    y, x = (np.arange(n) / n - rng.uniform(0.2, 0.8) for n in shape[1:])
    away = y[:, None] ** 2 + x**2
    return (depth[:, None, None] * (1 - EDGE * away / away.max())).astype(np.float32)


def _detect(lights: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Count photons, plane by plane, and turn them into grey levels."""
    photons, bright = rng.uniform(*PHOTONS, 2), np.empty((*lights[0].shape, 2), np.uint8)
    for plane, light in enumerate(zip(*lights, strict=True)):
        for part in (GOLGI, NUCLEUS):
            seen = light[part] + BLEEDING[part] * light[1 - part]
            levels = LEVELS_PER_PHOTON * rng.poisson(photons[part] * seen).astype(np.float32)
            levels += DARK + READOUT * rng.standard_normal(seen.shape, np.float32)
            bright[plane, ..., part] = levels.clip(0, 255)
    return bright
