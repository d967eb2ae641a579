"""Outlines of a tile's shapes: as labels for sheets, and as a picture that a browser lays over the tile."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from kerasseg.annotations import draw, labelme
from kerasseg.report.pictures import PREDICTED


def labels(root: Path, tile: str) -> np.ndarray | None:
    """Draw the shapes of a tile's labelme file as instances: (Y, X) int32; None where there is no file.

    Raises
    ------
    UserError
        If the file is no labelme file.
    """
    path = Path(root) / "queue" / f"{tile}.json"
    if not path.is_file():
        return None
    drawing = labelme.read(path)
    return draw.draw_labels(drawing.shapes, drawing.size)


def svg(instances: np.ndarray) -> str:
    """Outline instances (Y, X), each along its own border's pixels; holes are outlined too.

    The line is as wide on every screen, however far the tile is enlarged.
    """
    height, width = instances.shape
    colour = "#{:02x}{:02x}{:02x}".format(*PREDICTED)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-0.5 -0.5 {width} {height}" fill="none" '
        f'stroke="{colour}" stroke-width="1.5" stroke-linejoin="round">'
        f'<path vector-effect="non-scaling-stroke" d="{_path(instances)}"/></svg>'
    )


def _path(instances: np.ndarray) -> str:
    """Write the contours as a path of SVG: ``M x,y x,y ... Z``."""
    contours = []
    for number in np.unique(instances[instances > 0]):
        contours += cv2.findContours(
            (instances == number).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
        )[0]
    return "".join(
        "M" + " ".join(f"{x},{y}" for x, y in contour.reshape(-1, 2)) + "Z" for contour in contours
    )
