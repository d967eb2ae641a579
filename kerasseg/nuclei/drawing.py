"""Pictures to check an extraction by: contact sheets, and slices with what was found and what was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kerasseg.images import files
from kerasseg.images.preprocessing import resize
from kerasseg.nuclei import crops
from kerasseg.nuclei.crops import Corner
from kerasseg.nuclei.detection import Outline, ellipse_points
from kerasseg.nuclei.linking import Sighting
from kerasseg.report import pictures, slide

SHEETS, FOUND = "sheets", "found"
OVERVIEW = "nuclei.jpg"
TILES = 40  # of a nucleus's sheet
SLICES = 12  # that are drawn, of a stack
LONGEST = 1600  # pixels of a drawn slice
TEXT = 12  # points


def some(count: int, most: int) -> list[int]:
    """Choose places in a row of `count`, evenly and with both ends."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(count, most))})


def contact_sheets(
    out: Path, tracks: Mapping[int, Sequence[Sighting]], corners: Mapping[int, Corner], side: int
) -> None:
    """Draw a sheet for each nucleus, ``sheets/nucleus_0003.jpg``, and one of all, ``nuclei.jpg``.

    Parameters
    ----------
    out : Path
        Holds the crops.
    tracks : mapping of int to sequence of Sighting
        By the nucleus's id.
    corners : mapping of int to Corner
        Of the windows.
    side : int
        Pixels of a window.
    """
    for nucleus, track in tracks.items():
        shown = [(nucleus, track[place]) for place in some(len(track), TILES)]
        captions = [f"z{each.slice}" for _, each in shown]
        picture = _sheet(out, shown, corners, side, captions)
        files.write(out / SHEETS / f"{crops.folder_name(nucleus)}.jpg", picture)
    if tracks:
        shown = [(nucleus, track[len(track) // 2]) for nucleus, track in tracks.items()]
        captions = [f"{nucleus}: {len(track)} slices" for nucleus, track in tracks.items()]
        files.write(out / OVERVIEW, _sheet(out, shown, corners, side, captions))


def _sheet(
    out: Path,
    shown: Sequence[tuple[int, Sighting]],
    corners: Mapping[int, Corner],
    side: int,
    captions: Sequence[str],
) -> np.ndarray:
    """Lay out crops, each with the ellipse of its nucleus."""
    length = min(side, slide.SIDE)
    tiles, masks = [], []
    for nucleus, sighting in shown:
        tiles.append(resize(files.read(crops.path_of(out, nucleus, sighting.slice)), (length, length)))
        masks.append(_ellipse(sighting, corners[nucleus], side, length))
    limits = slide.contrast(tiles)
    tiles = [pictures.display(tile, limits) for tile in tiles]
    columns = max(slide.COLUMNS, round(len(tiles) ** 0.5))
    return slide.sheet(tiles, masks=masks, captions=captions, columns=min(columns, len(tiles)))


def _ellipse(sighting: Sighting, corner: Corner, side: int, length: int) -> np.ndarray:
    """Fill the ellipse of a nucleus in its crop, reduced to a square of `length` pixels."""
    centre = sighting.y - corner.y, sighting.x - corner.x
    points = ellipse_points(centre, (sighting.major, sighting.minor, sighting.angle))
    mask = np.zeros((length, length), np.uint8)
    return cv2.fillPoly(mask, [np.round(points * length / side).astype(np.int32)], 1)


def slice_picture(image: np.ndarray, outlines: Sequence[Outline], names: Sequence[str | None]) -> np.ndarray:
    """Draw what was found in a slice, and why the rest was not.

    Parameters
    ----------
    image : numpy.ndarray, shape (Y, X, C)
        The slice.
    outlines : sequence of Outline
        What detection says of it.
    names : sequence of str or None
        What is written into each outline that is amber, that of a nucleus; None makes it vermilion, with its
        own reason.

    Returns
    -------
    numpy.ndarray, shape (height, width, 3), uint8
        Reduced to `LONGEST` pixels where the slice is larger, enlarged a whole number of times where it is
        small.
    """
    scale = LONGEST / max(image.shape[:2])
    scale = min(scale, 1) if scale < 2 else int(scale)
    size = tuple(max(1, round(scale * length)) for length in image.shape[:2])
    paper = Image.fromarray(pictures.display(resize(image, size)))
    canvas, font = ImageDraw.Draw(paper), ImageFont.load_default(TEXT)
    for outline, name in zip(outlines, names, strict=True):
        colour, width = (pictures.INVENTED, 1) if name is None else (pictures.PREDICTED, 3)
        points = [tuple(point) for point in (outline.points + 0.5) * scale]
        canvas.line([*points, points[0]], fill=colour, width=width)
        text = outline.reason if name is None else name
        half = canvas.textlength(text, font) / 2
        y, x = ((middle + 0.5) * scale for middle in outline.centre)
        x = min(max(x, half), paper.width - half)  # what is cut by the border is still to be read
        canvas.text((x, y), text, fill=colour, font=font, anchor="mm", stroke_width=2, stroke_fill=(0, 0, 0))
    return np.array(paper)
