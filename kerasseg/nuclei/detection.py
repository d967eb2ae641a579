"""Nuclei in one slice of electron microscopy: closed outlines that are elliptical and really seen.

A nucleus is lighter than what surrounds it, or darker, or only its rim is; chromatin bites into its outline,
and neighbours touch it. So no single threshold finds all. Here many thresholds of both signs each propose
outlines, and every proposal is judged by two numbers:

- *ellipse*: how well its convex hull agrees with the ellipse of the same moments (intersection over union);
- *outline*: the share of the hull along which the slice really changes from inside to outside.

Their product is the score. Of proposals at one place the best is kept, and of nested ones the outermost, so
that a nucleolus is no nucleus. All lengths are in diameters: a slice is first reduced so that the expected
diameter is `REFERENCE` pixels, which makes time and result independent of how finely it was scanned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from scipy.ndimage import uniform_filter1d

REFERENCE = 64  # pixels of a diameter at which outlines are looked for; coarser slices stay as they are
BLUR = 1 / 50  # of a diameter: the standard deviation that hides grain and keeps membranes
SURROUNDINGS = 3  # diameters of the square whose mean is what a pixel is compared with
LEVELS = np.arange(-1.5, 1.75, 0.25)  # thresholds, in typical deviations of the slice
NARROW = 1 / 8  # of a diameter: bridges to neighbours that an opening cuts
REACH = 1 / 16  # of a diameter: what counts as just inside and just outside an outline
STEP = 0.5  # typical deviations by which the two differ where an outline is seen
POINTS = 96  # along an outline, at which that is tested
GRAIN = 5  # of these points that are averaged, so that a grain on the outline does not hide it
SMALLEST, LARGEST = 0.5, 1.5  # diameters of a nucleus
MARGIN = 0.75  # proposals this much smaller, or larger by the inverse, are shown with the reason
LONGEST = 3.5  # times its width that a nucleus is long
SCORE = 0.75  # that a nucleus reaches
SHOWN = 0.6  # score of a proposal that is worth a reason
SAME = 0.5  # intersection over union of two outlines of one thing
INSIDE = 0.7  # of an outline's area that lies in another, for it to be nested
OVERLAP = 0.2  # of the smaller outline's area that two neighbours may share

SIGNS = {"bright": (1,), "dark": (-1,), "both": (1, -1)}


@dataclass(frozen=True, eq=False)
class Outline:
    """A closed outline in a slice, in its pixels.

    Attributes
    ----------
    points : numpy.ndarray, shape (N, 2), float32
        The polygon's x and y.
    touches_border : bool
        Whether the slice's border cuts it.
    score : float
        In [0, 1].
    reason : str
        Why it is no nucleus; empty where it is one.
    """

    points: np.ndarray
    touches_border: bool
    score: float = 0.0
    reason: str = ""

    @cached_property
    def area(self) -> float:
        """Pixels inside."""
        return cv2.contourArea(self.points)

    @cached_property
    def _moments(self) -> dict[str, float]:
        return cv2.moments(self.points)

    @cached_property
    def centre(self) -> tuple[float, float]:
        """The centre of mass (y, x)."""
        moments = self._moments
        return moments["m01"] / moments["m00"], moments["m10"] / moments["m00"]

    @cached_property
    def ellipse(self) -> tuple[float, float, float]:
        """Both axes and the angle of the first, in degrees from +x towards +y, of the same moments."""
        area = self._moments["m00"]
        xx, yy, xy = (self._moments[name] / area for name in ("mu20", "mu02", "mu11"))
        spread = np.hypot(xx - yy, 2 * xy)
        major, minor = np.sqrt(8 * (xx + yy + spread)), np.sqrt(8 * max(xx + yy - spread, 0))
        return float(major), float(minor), float(np.degrees(np.arctan2(2 * xy, xx - yy) / 2) % 180)

    @cached_property
    def diameter(self) -> float:
        """Of the disc of the same area."""
        return float(np.sqrt(4 * self.area / np.pi))

    @cached_property
    def box(self) -> tuple[float, float, float, float]:
        """The least and the largest x and y: (x0, y0, x1, y1)."""
        return *self.points.min(axis=0), *self.points.max(axis=0)


def detect(
    image: np.ndarray, diameter: float, *, polarity: str = "both", score: float = SCORE
) -> list[Outline]:
    """Find the nuclei of a slice, and what was taken for none.

    Parameters
    ----------
    image : numpy.ndarray, shape (Y, X), uint8, uint16 or float32
        The slice.
    diameter : float
        The expected mean diameter in pixels; nuclei from half to one and a half times as large are found.
    polarity : str, default "both"
        ``bright`` where nuclei are lighter than what surrounds them, ``dark`` where they or their rims are
        darker, ``both`` where that is not known.
    score : float, default 0.75
        What a nucleus reaches; see the module.

    Returns
    -------
    list of Outline
        By y, then x. Those with a `reason` are no nuclei.
    """
    difference, scale = _differences(image, diameter)
    reduced = diameter * scale
    proposals = list(_proposals(difference, reduced, SIGNS[polarity]))
    judged = [_judged(outline, sign, difference, reduced, score) for outline, sign in proposals]
    shown = min(SHOWN, score)
    judged = [_enlarged(outline, scale) for outline in judged if outline.score >= shown]
    outlines = one_a_place([outline for outline in judged if not outline.reason])
    outlines += _apart([outline for outline in judged if outline.reason], beside=outlines)
    return sorted(outlines, key=lambda outline: outline.centre)


def _differences(image: np.ndarray, diameter: float) -> tuple[np.ndarray, float]:
    """Reduce a slice and compare it with its surroundings, in typical deviations: (Y, X) float32, scale."""
    scale = min(1.0, REFERENCE / diameter)
    if scale < 1:
        size = [max(1, round(scale * side)) for side in image.shape[::-1]]
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    reduced = diameter * scale
    image = _without_gaps(image)
    image = cv2.GaussianBlur(image.astype(np.float32), (0, 0), BLUR * reduced)
    side = int(SURROUNDINGS * reduced) | 1
    difference = image - cv2.blur(image, (side, side), borderType=cv2.BORDER_REFLECT)
    varied = np.abs(difference[difference != 0])  # empty frames are no part of what is typical
    if not varied.size:
        return difference, scale
    return difference / max(1.4826 * np.median(varied), np.finfo(np.float32).tiny), scale


def _without_gaps(image: np.ndarray) -> np.ndarray:
    """Fill what is no number with the mean: one NaN would spread over the whole slice."""
    known = np.isfinite(image)
    return image if known.all() or not known.any() else np.where(known, image, image[known].mean())


def _proposals(
    difference: np.ndarray, diameter: float, signs: Sequence[int]
) -> Iterator[tuple[Outline, int]]:
    """Yield convex hulls of what lies above each threshold, and on which side: 1 lighter, -1 darker."""
    side = int(NARROW * diameter) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    least = np.pi / 4 * (MARGIN * SMALLEST * diameter) ** 2
    for sign in signs:
        for level in LEVELS:
            mask = (sign * difference > level).astype(np.uint8)
            for regions in (mask, cv2.morphologyEx(mask, cv2.MORPH_OPEN, disc)):
                for contour in _outer_contours(regions):
                    _, _, width, height = box = cv2.boundingRect(contour)
                    if width * height >= least and len(hull := cv2.convexHull(contour)) > 2:
                        yield Outline(hull[:, 0].astype(np.float32), _is_cut(box, mask.shape)), sign


def _outer_contours(mask: np.ndarray) -> list[np.ndarray]:
    """Trace the regions of a mask, those in holes of others too, and not the holes."""
    contours, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    parents = hierarchy[0, :, 3] if contours else ()
    return [contour for contour, parent in zip(contours, parents, strict=True) if parent < 0]


def _is_cut(box: tuple[int, int, int, int], shape: tuple[int, int]) -> bool:
    x, y, width, height = box
    return x == 0 or y == 0 or x + width == shape[1] or y + height == shape[0]


def _judged(outline: Outline, sign: int, difference: np.ndarray, diameter: float, least: float) -> Outline:
    """Score a proposal in the reduced slice, and say what keeps it from being a nucleus."""
    across = outline.diameter / diameter
    if not MARGIN * SMALLEST <= across <= LARGEST / MARGIN:
        return outline
    major, minor, _ = outline.ellipse
    elliptical, visible = _agreement(outline), _visible(outline, sign, difference, diameter)
    score, reason = elliptical * visible, ""
    if score < least:
        reason = f"{score:.2f}: ellipse {elliptical:.2f}, outline {visible:.2f}"
    elif not SMALLEST <= across <= LARGEST:
        reason = f"{across:.2f} diameters across"
    elif major > LONGEST * minor:
        reason = f"{major / max(minor, 1):.1f} times as long as wide"
    return replace(outline, score=score, reason=reason)


def _agreement(outline: Outline) -> float:
    """Compare a hull with the ellipse of the same moments: intersection over union."""
    ellipse = ellipse_points(outline.centre, outline.ellipse)
    shared, _ = cv2.intersectConvexConvex(outline.points, ellipse)
    return shared / (outline.area + cv2.contourArea(ellipse) - shared)


def ellipse_points(centre: tuple[float, float], ellipse: tuple[float, float, float]) -> np.ndarray:
    """Go around an ellipse of a centre (y, x), both axes and an angle: (`POINTS`, 2) float32 of x and y."""
    (y, x), (major, minor, angle) = centre, ellipse
    around, turn = np.linspace(0, 2 * np.pi, POINTS, endpoint=False), np.radians(angle)
    along, across = major / 2 * np.cos(around), minor / 2 * np.sin(around)
    xs = x + along * np.cos(turn) - across * np.sin(turn)
    ys = y + along * np.sin(turn) + across * np.cos(turn)
    return np.stack([xs, ys], axis=1).astype(np.float32)


def _visible(outline: Outline, sign: int, difference: np.ndarray, diameter: float) -> float:
    """Find the share of an outline along which the inside differs from the outside as `sign` has it.

    Where the slice's border cuts the nucleus nothing can be seen, and nothing is counted.
    """
    points, outwards = _walk(outline)
    height, width = difference.shape
    within = ((points > 1) & (points < (width - 2, height - 2))).all(axis=1)
    if not within.any():
        return 0.0
    steps = np.linspace(-REACH, REACH, 9) * diameter
    places = (points[:, None] + steps[:, None] * outwards[:, None]).astype(np.float32)
    profiles = cv2.remap(difference, places, None, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    change = sign * (profiles[:, :4].mean(axis=1) - profiles[:, 5:].mean(axis=1))
    change = uniform_filter1d(change, GRAIN, mode="wrap")
    return float((change[within] > STEP).mean())


def _walk(outline: Outline) -> tuple[np.ndarray, np.ndarray]:
    """Go around an outline in equal steps: `POINTS` places (x, y) and the directions that lead outwards."""
    closed = np.concatenate([outline.points, outline.points[:1]]).astype(float)
    lengths = np.concatenate([[0], np.hypot(*np.diff(closed, axis=0).T).cumsum()])
    stations = np.linspace(0, lengths[-1], POINTS, endpoint=False)
    points = np.stack([np.interp(stations, lengths, along) for along in closed.T], axis=1)
    tangents = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    normals = tangents[:, ::-1] * (1, -1) / np.maximum(np.hypot(*tangents.T), 1e-9)[:, None]
    away = ((points - outline.centre[::-1]) * normals).sum()
    return points, normals if away > 0 else -normals


def _enlarged(outline: Outline, scale: float) -> Outline:
    """Bring an outline from the reduced slice to the slice itself; a pixel's centre is a whole number."""
    return replace(outline, points=((outline.points + 0.5) / scale - 0.5).astype(np.float32))


def one_a_place(outlines: Sequence[Outline]) -> list[Outline]:
    """Keep the best outline of each place, the outermost of nested ones, the better of two that overlap."""
    places = _best(outlines)
    outer: list[Outline] = []
    for outline in sorted(places, key=lambda outline: -outline.area):
        if all(shared_area(outline, other) < INSIDE * outline.area for other in outer):
            outer.append(outline)
    return _apart(outer)


def _best(outlines: Sequence[Outline]) -> list[Outline]:
    """Keep the best of those that outline the same thing."""
    kept: list[Outline] = []
    for outline in sorted(outlines, key=_rank):
        if all(_likeness(outline, other) < SAME for other in kept):
            kept.append(outline)
    return kept


def _apart(outlines: Sequence[Outline], beside: Sequence[Outline] = ()) -> list[Outline]:
    """Keep the better of those that overlap, and nothing that overlaps what is `beside`."""
    kept: list[Outline] = []
    for outline in sorted(outlines, key=_rank):
        neighbours = (*beside, *kept)
        if all(shared_area(outline, other) < OVERLAP * min(outline.area, other.area) for other in neighbours):
            kept.append(outline)
    return kept


def _rank(outline: Outline) -> tuple[float, ...]:
    """Order the best first, and what is equally good always in the same way."""
    return -outline.score, -outline.area, *outline.centre


def _likeness(one: Outline, other: Outline) -> float:
    shared = shared_area(one, other)
    return shared / (one.area + other.area - shared)


def shared_area(one: Outline, other: Outline) -> float:
    """Pixels that lie in both of two convex outlines."""
    (left, top, right, bottom), (left_, top_, right_, bottom_) = one.box, other.box
    if right < left_ or right_ < left or bottom < top_ or bottom_ < top:
        return 0.0
    return cv2.intersectConvexConvex(one.points, other.points)[0]
