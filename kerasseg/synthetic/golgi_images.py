"""Synthetic fluorescence: what a confocal microscope would show of nuclei (GFP) and Golgi (mCherry).

Cells take up their stains unequally, chromatin and Golgi stacks are grainy, specks shine in between. The
microscope blurs along z more than within a plane and lets some haze through; light from deep in the tissue
and from the field's edge is weaker. Detectors count photons, see a little of the other stain, and add noise
of their own. How bright a volume is differs from one to the next, as laser power does.
"""

from __future__ import annotations

import cv2
import numpy as np

from kerasseg.synthetic.golgi_masks import GOLGI, NUCLEUS, SPACING, Scene, Spacing

CHANNELS = ("golgi", "nuclei")

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
