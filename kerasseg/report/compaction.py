"""A page of what key points are worth: pictures, sizes, and what codecs make of as many bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasseg.compact import comparison
from kerasseg.compact.comparison import Contender
from kerasseg.compact.keypoints import KeyPoints
from kerasseg.files import write_atomically
from kerasseg.report import pictures
from kerasseg.report.template import PNG, embedded, fill

PAGE = "compact.html"
GROUPS = ("points", "same bytes", "same SSIM", "lossless", "trivial")
MEASURES = {
    "ssim_11": "SSIM 11 × 11",
    "ssim_global": "SSIM global",
    "ssim_paper": "SSIM, the paper's",
    "rmse": "RMSE",
    "mse": "MSE",
    "dice": "mask Dice",
    "skeleton_f": "skeleton F",
    "intensity_error": "intensity error",
}
FEW = 0.5  # of the bytes of lossless JPEG XL: who saves less loses more than they gain
POSITIVE, NEGATIVE = pictures.PREDICTED, pictures.TRUTH


@dataclass(frozen=True)
class Judged:
    """A plane of an image, its key points, and all that they are compared with.

    Attributes
    ----------
    name : str
        Of the image, and which part of it was judged.
    stored, rebuilt : np.ndarray
        (Y, X) uint8 or uint16.
    points : KeyPoints
        Of that plane.
    bytes : int
        Of their file.
    contenders : sequence of Contender
        See `kerasseg.compact.comparison.contenders`; the key points first.
    scores : sequence of mapping
        Of each contender, by `kerasseg.compact.comparison.scored`.
    """

    name: str
    stored: np.ndarray
    rebuilt: np.ndarray
    points: KeyPoints
    bytes: int
    contenders: Sequence[Contender]
    scores: Sequence[Mapping[str, float]]


def judge(name: str, stored: np.ndarray, rebuilt: np.ndarray, points: KeyPoints, written: int) -> Judged:
    """Compare the key points of a plane with all other ways to keep it."""
    rivals = list(comparison.contenders(stored, rebuilt, points.method, written))
    original = comparison.shown(stored, stored)
    scores = [comparison.scored(rival, original) for rival in rivals]
    return Judged(name, stored, rebuilt, points, written, rivals, scores)


def write(folder: Path, images: Sequence[Judged], why: str, images_in_all: int) -> Path:
    """Write ``compact.html``.

    Parameters
    ----------
    folder : Path
    images : sequence of Judged
        At least one, all by one method.
    why : str
        Why this method was taken.
    images_in_all : int
        Of which those are some.

    Returns
    -------
    Path
        The page.
    """
    rows = averaged(images)
    context = {
        "method": images[0].points.method,
        "why": why,
        "judged": len(images),
        "images_in_all": images_in_all,
        "kernel": images[0].points.kernel,
        "points": rows[0],
        "share": float(np.mean([image.points.share for image in images])),
        "verdict": verdict(rows),
        "rows": rows,
        "measures": MEASURES,
        "images": [_section(image) for image in images],
    }
    page = fill(Path(__file__).with_suffix(".html"), context)
    with write_atomically(folder / PAGE) as path:
        path.write_text(page, encoding="utf-8")
    return folder / PAGE


def averaged(images: Sequence[Judged]) -> list[dict]:
    """Average each contender over the images that it could keep.

    Returns
    -------
    list of dict
        ``name``, ``group``, ``images``, ``bytes``, ``raw`` (bytes of the pixels) and the measures, the groups in
        the order of `GROUPS`; a measure that no image has is NaN.
    """
    found: dict[tuple[str, str], list[dict]] = {}
    for image in images:
        for rival, scores in zip(image.contenders, image.scores, strict=True):
            row = {"bytes": rival.bytes, "raw": image.stored.nbytes, **scores}
            found.setdefault((rival.group, rival.name), []).append(row)
    rows = []
    for group, name in sorted(found, key=lambda key: GROUPS.index(key[0])):
        alike = found[group, name]
        known = {key: [row[key] for row in alike if not math.isnan(row[key])] for key in alike[0]}
        means = {key: float(np.mean(values)) if values else math.nan for key, values in known.items()}
        rows.append({"name": name, "group": group, "images": len(alike), **means})
    return rows


def verdict(rows: Sequence[Mapping]) -> list[str]:
    """Say in sentences what the points are worth, the bad news too.

    Parameters
    ----------
    rows : sequence of mapping
        As `averaged` gives them.
    """
    ours, likeness = rows[0], "ssim_global" if math.isnan(rows[0]["ssim_11"]) else "ssim_11"
    lossless = min((row for row in rows if row["group"] == "lossless"), key=lambda row: row["bytes"])
    sentences = []
    if ours["bytes"] > FEW * lossless["bytes"]:
        sentences.append(
            f"{lossless['name'].split(',')[0]} without loss serves you better: it keeps every pixel in "
            f"{lossless['bytes']:,.0f} bytes, and the points take {ours['bytes']:,.0f}."
        )
    better = [row for row in rows if row["group"] == "same bytes" and row[likeness] > ours[likeness]]
    if better:
        names = ", ".join(f"{row['name']} ({row[likeness]:.3f})" for row in better)
        sentences.append(
            f"In as many bytes {names} {'is' if len(better) == 1 else 'are'} more like the image than the "
            f"points ({ours[likeness]:.3f}). To store images take that; points are for what is computed from "
            "them, for an exact budget, and for reading a region alone."
        )
    else:
        sentences.append("No codec that was tried is more like the image in as many bytes.")
    bitmap, black = (next(row for row in rows if row["name"] == name) for name in ("1-bit bitmap", "black"))
    if bitmap[likeness] >= ours[likeness]:
        sentences.append(
            f"A bitmap of one bit a pixel is more like the image ({bitmap[likeness]:.3f}, "
            f"{bitmap['bytes']:,.0f} bytes)."
        )
    if black[likeness] >= ours[likeness]:
        sentences.append(
            f"A black image is as much like it ({black[likeness]:.3f}): the points are worthless."
        )
    sentences.append(
        f"Without loss {lossless['name'].split(',')[0]} takes {lossless['bytes']:,.0f} bytes, "
        f"{lossless['bytes'] / lossless['raw']:.0%} of the {lossless['raw']:,.0f} of the pixels."
    )
    return sentences


def _section(image: Judged) -> dict:
    """Gather what the page shows of one image."""
    original, rebuilt = (comparison.shown(plane, image.stored) for plane in (image.stored, image.rebuilt))
    difference = rebuilt.astype(np.int64) - original
    views = {
        "original": pictures.display(original, (0, comparison.WHITE)),
        "points": _drawn_points(image.points),
        "rebuilt": pictures.display(rebuilt, (0, comparison.WHITE)),
        "difference": _signed(difference / max(1, np.abs(difference).max())),
    }
    return {
        "name": image.name,
        "views": {name: _picture(view) for name, view in views.items()},
        "largest": int(np.abs(difference).max()),
        "count": len(image.points),
        "share": image.points.share,
        "size": image.stored.shape,
        "raw": image.stored.nbytes,
        "sizes": comparison.sizes(image.points, image.bytes),
        "base": len(image.points.base.encoded) if image.points.base else 0,
        "scores": image.scores[0],
    }


def _drawn_points(points: KeyPoints) -> np.ndarray:
    """Draw points of a plane on white, by the size and the sign of their amplitudes: (Y, X, 3) uint8."""
    values = np.zeros(points.grid)
    amplitudes = 1 if points.amplitudes is None else points.amplitudes[:, 0]
    values[tuple(points.positions.T)] = amplitudes
    greatest = np.quantile(np.abs(values[values != 0]), 0.9) if len(points) else 1
    strength = np.abs(values / greatest).clip(0, 1)
    return _signed(np.sign(values) * np.where(values != 0, 0.25 + 0.75 * strength, 0))


def _signed(values: np.ndarray) -> np.ndarray:
    """Paint -1 blue, 0 white and 1 vermilion: (Y, X, 3) uint8."""
    strength = np.abs(values)[..., None].clip(0, 1)
    colour = np.where(values[..., None] > 0, pictures.INVENTED, pictures.MISSED)
    return np.rint(pictures.WHITE + strength * (colour - np.float64(pictures.WHITE))).astype(np.uint8)


def _picture(view: np.ndarray) -> str:
    """Embed a picture without loss: an artefact of JPEG would be taken for one of the points."""
    import cv2

    [view] = pictures.enlarged([view])
    return embedded(cv2.imencode(".png", view[..., ::-1])[1].tobytes(), PNG)
