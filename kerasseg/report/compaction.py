"""A page of what key points are worth: pictures, sizes, and what codecs make of as many bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import cv2
import numpy as np

from kerasseg.compact import comparison
from kerasseg.compact.keypoints import KeyPoints
from kerasseg.files import write_atomically
from kerasseg.report import pictures
from kerasseg.report.template import PNG, embedded, fill

PAGE = "compact.html"
GROUPS = ("points", "same bytes", "same SSIM", "lossless", "trivial")
MEASURES = {
    "ssim_11": "SSIM 11 x 11",
    "ssim_global": "SSIM global",
    "ssim_paper": "SSIM, the paper's",
    "rmse": "RMSE",
    "mse": "MSE",
    "dice": "mask Dice",
    "skeleton_f": "skeleton F",
    "intensity_error": "intensity error",
}
LIKENESS = "likeness"
FEW = 0.5  # of the bytes of lossless JPEG XL: who saves less loses more than they gain


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
    rows : sequence of mapping
        ``name``, ``group`` and ``bytes`` of each way to keep the plane, the points first, and its
        ``likeness`` and scores: see `kerasseg.compact.comparison`.
    reason : str
        Why the points were chosen by their method.
    """

    name: str
    stored: np.ndarray
    rebuilt: np.ndarray
    points: KeyPoints
    bytes: int
    rows: Sequence[Mapping[str, Any]]
    reason: str


def judge(
    name: str, stored: np.ndarray, rebuilt: np.ndarray, points: KeyPoints, written: int, reason: str
) -> Judged:
    """Compare the key points of a plane with all other ways to keep it."""
    original = comparison.shown(stored, stored)
    rivals = sorted(
        comparison.contenders(stored, rebuilt, written), key=lambda rival: GROUPS.index(rival.group)
    )
    rows = [
        {
            "name": rival.name,
            "group": rival.group,
            "bytes": rival.bytes,
            LIKENESS: comparison.likeness(original, rival.image),
            **comparison.scored(rival, original),
        }
        for rival in rivals
    ]
    return Judged(name, stored, rebuilt, points, written, rows, reason)


def write(folder: Path, images: Sequence[Judged], images_in_all: int) -> Path:
    """Write ``compact.html``.

    Parameters
    ----------
    folder : Path
    images : sequence of Judged
        At least one.
    images_in_all : int
        Of which those are some.

    Returns
    -------
    Path
        The page.
    """
    context = {
        "methods": list(dict.fromkeys(image.points.method for image in images)),
        "images_in_all": images_in_all,
        "means": {
            "share": fmean(image.points.share for image in images),
            "bytes": fmean(image.bytes for image in images),
            "kept": fmean(image.bytes / image.stored.nbytes for image in images),
            "likeness": fmean(image.rows[0][LIKENESS] for image in images),
        },
        "measures": MEASURES,
        "images": [_section(image) for image in images],
    }
    page = fill(Path(__file__).with_suffix(".html"), context)
    with write_atomically(folder / PAGE) as path:
        path.write_text(page, encoding="utf-8")
    return folder / PAGE


def verdict(rows: Sequence[Mapping]) -> list[str]:
    """Say in sentences what the points of an image are worth, the bad news too.

    Parameters
    ----------
    rows : sequence of mapping
        As `Judged` has them.
    """
    ours, rivals = rows[0], [row for row in rows if row["group"] == "same bytes"]
    lossless = min((row for row in rows if row["group"] == "lossless"), key=lambda row: row["bytes"])
    bitmap, black = (next(row for row in rows if row["name"] == name) for name in ("1-bit bitmap", "black"))
    sentences = []
    if ours["bytes"] > FEW * lossless["bytes"]:
        sentences.append(
            f"{lossless['name']} serves you better: it keeps every pixel in {lossless['bytes']:,} bytes, and "
            f"the points take {ours['bytes']:,}."
        )
    better = [row for row in rivals if row[LIKENESS] > ours[LIKENESS]]
    if better:
        names = ", ".join(f"{row['name']} ({row[LIKENESS]:.3f})" for row in better)
        sentences.append(
            f"In as many bytes {names} {'is' if len(better) == 1 else 'are'} more like the image than the "
            f"points ({ours[LIKENESS]:.3f}). To store images take that; points are for what is computed from "
            "them, for an exact budget, and for reading a region alone."
        )
    elif rivals:
        sentences.append("No codec that was tried is more like the image in as many bytes.")
    else:
        sentences.append("No codec that was tried gets by with so few bytes.")
    if bitmap[LIKENESS] >= ours[LIKENESS]:
        sentences.append(
            f"A bitmap of one bit a pixel is no less like the image: {bitmap[LIKENESS]:.3f} in "
            f"{bitmap['bytes']:,} bytes."
        )
    if black[LIKENESS] >= ours[LIKENESS]:
        sentences.append(f"Black is as much like it ({black[LIKENESS]:.3f}): the points are worthless.")
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
        "reason": image.reason,
        "verdict": verdict(image.rows),
        "rows": image.rows,
        "method": image.points.method,
        "kernel": image.points.kernel,
        "views": {name: _picture(view) for name, view in views.items()},
        "largest": int(np.abs(difference).max()),
        "count": len(image.points),
        "share": image.points.share,
        "size": image.stored.shape,
        "raw": image.stored.nbytes,
        "sizes": comparison.sizes(image.points, image.bytes),
        "base": len(image.points.base.encoded) if image.points.base else 0,
    }


def _drawn_points(points: KeyPoints) -> np.ndarray:
    """Draw points of a plane on white, by the size and the sign of their amplitudes: (Y, X, 3) uint8.

    Of a large plane they are thicker, or a shrunken picture would lose them.
    """
    values = np.zeros(points.grid)
    amplitudes = 1 if points.amplitudes is None else points.amplitudes[:, 0]
    values[tuple(points.positions.T)] = amplitudes
    greatest = np.quantile(np.abs(values[values != 0]), 0.9) if len(points) else 1
    strength = np.where(values != 0, 0.25 + 0.75 * np.abs(values / greatest).clip(0, 1), 0)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    thicker = round(max(points.grid) / pictures.LINES_PER_SIDE)
    more, less = (cv2.dilate(strength * (sign * values > 0), cross, iterations=thicker) for sign in (1, -1))
    return _signed(np.where(more >= less, more, -less))


def _signed(values: np.ndarray) -> np.ndarray:
    """Paint -1 blue, 0 white and 1 vermilion: (Y, X, 3) uint8."""
    strength = np.abs(values)[..., None].clip(0, 1)
    colour = np.where(values[..., None] > 0, pictures.INVENTED, pictures.MISSED)
    return np.rint(pictures.WHITE + strength * (colour - np.float64(pictures.WHITE))).astype(np.uint8)


def _picture(view: np.ndarray) -> str:
    """Embed a picture without loss: an artefact of JPEG would be taken for one of the points."""
    [view] = pictures.enlarged([view])
    return embedded(cv2.imencode(".png", view[..., ::-1])[1].tobytes(), PNG)
