"""Review without a program of ours on the screen: a page in the browser, to decide tile by tile.

The tiles that wait are shown most uncertain first; a key accepts, rejects or opens one in labelme. Each
decision is in ``queue.csv`` before the page goes on, so that nothing is lost whenever it is closed.
`draw_sheets` draws the same tiles as pictures, to decide at a glance.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kerasseg.annotations import draw, labelme
from kerasseg.console import say, track
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.labelling import folder, queue
from kerasseg.labelling.edits import sync_edits
from kerasseg.labelling.entries import Entry
from kerasseg.report import clusters
from kerasseg.report.pictures import PREDICTED
from kerasseg.report.slide import open_slide, sheet
from kerasseg.report.template import SHARED, fill
from kerasseg.review.loopback import Answer, Loopback, Refused, json_answer

HERE = Path(__file__).parent
EDITOR = "labelme"
ON_A_SHEET = 100
SIDE = 256  # pixels of a tile on a sheet: outlines must be seen


def serve(root: Path, *, who: str | None = None, port: int = 0) -> None:
    """Let a person review on a page at this computer, until Ctrl-C.

    Parameters
    ----------
    root : Path
        The labelling folder.
    who : str, optional
        Who decides; the user's name by default.
    port : int, default 0
        Any free one by default.

    Raises
    ------
    UserError
        If there is no queue, or the port is taken.
    """
    review = Review(root, who=who)
    with review.server(port) as server:
        say(f"{len(queue.waiting(queue.read(root)))} tiles wait for you: {server.address}")
        say("every decision is saved at once; end the review with Ctrl-C")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            with review.saving:
                say(f"{len(review.history)} decisions saved to {folder.queue_path(root)}")


class Review:
    """What the page asks of a labelling folder.

    Parameters
    ----------
    root, who
        As `serve` takes them.

    Attributes
    ----------
    history : list of tuple of str
        What this review decided: the tile, its state before, its state then.
    saving : threading.Lock
        Held while a decision is written.
    """

    def __init__(self, root: Path, *, who: str | None = None) -> None:
        self.root = Path(root)
        self.who = who
        if not queue.read(self.root):
            raise UserError(f"{folder.queue_path(root)}: no tile is in the queue; select some first")
        self.slide = open_slide(self.root)
        self.history: list[tuple[str, str, str]] = []
        self.saving = threading.Lock()
        self.shown: set[str] = set()  # tiles that the page knows
        self.may_be_edited = False

    def server(self, port: int = 0) -> Loopback:
        """Open the server; it answers once it is told to."""
        get = {
            "": self._page,
            "page.css": lambda _: Answer((SHARED / "page.css").read_bytes(), "text/css"),
            "review.css": lambda _: Answer((HERE / "review.css").read_bytes(), "text/css"),
            "review.js": lambda _: Answer((HERE / "review.js").read_bytes(), "text/javascript"),
            "entries": self._entries,
            "tile": lambda name: _png(self.slide.picture(self._queued(name))),
            "around": lambda name: _png(self.slide.around(self._queued(name))),
            "outline": self._outline,
        }
        return Loopback(get, {"decide": self._decide, "undo": self._undo, "edit": self._edit}, port)

    def _page(self, _: str) -> Answer:
        context = {"file": self.slide.file, "colours": clusters.COLOURS}
        return Answer(fill(HERE / "review.html", context).encode(), "text/html; charset=utf-8")

    def _entries(self, _: str) -> Answer:
        """Give the whole queue, and the names of what waits, most uncertain first."""
        if self.may_be_edited:
            sync_edits(self.root)
        entries = queue.read(self.root)
        waiting = [entry.tile for entry in queue.waiting(entries)]
        self.shown = {entry.tile for entry in entries}
        return json_answer({"entries": [asdict(entry) for entry in entries], "waiting": waiting})

    def _outline(self, name: str) -> Answer:
        labels = drawn_labels(self.root, self._queued(name))
        picture = svg(np.zeros((1, 1), np.int32) if labels is None else labels)
        return Answer(picture.encode(), "image/svg+xml")

    def _decide(self, request: Mapping[str, Any]) -> dict[str, Any]:
        with self.saving:
            before = self._known(request.get("tile"))
            entry = queue.decide(self.root, before.tile, str(request.get("state")), self.who)
            if entry.state != before.state:
                self.history.append((before.tile, before.state, entry.state))
        return asdict(entry)

    def _undo(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Take the last decision back, unless the tile was changed since by somebody else or in labelme."""
        with self.saving:
            if not self.history:
                raise Refused(HTTPStatus.CONFLICT, "nothing has been decided since the review began")
            tile, before, decided = self.history[-1]
            if (state := self._known(tile).state) != decided:
                self.history.pop()
                raise Refused(HTTPStatus.CONFLICT, f"tile {tile} has become {state} since, and stays so")
            entry = queue.decide(self.root, tile, before, self.who)
            self.history.pop()
        return asdict(entry)

    def _edit(self, request: Mapping[str, Any]) -> dict[str, str]:
        """Open a tile in labelme; what is drawn there is noticed when the page asks for entries again."""
        name = self._queued(request.get("tile"))
        drawing = folder.drawing_path(self.root, name)
        path = drawing if drawing.is_file() else folder.view_path(self.root, name)
        if shutil.which(EDITOR) is None:
            raise Refused(
                HTTPStatus.CONFLICT, f"{EDITOR} is not installed here; open {path} where it is installed"
            )
        subprocess.Popen([EDITOR, str(path)], start_new_session=True)
        self.may_be_edited = True
        return {"opened": str(path)}

    def _queued(self, name: Any) -> str:
        """Check that a tile is in the queue: nothing else is ever opened."""
        return name if isinstance(name, str) and name in self.shown else self._known(name).tile

    def _known(self, name: Any) -> Entry:
        for entry in queue.read(self.root):
            if entry.tile == name:
                return entry
        raise Refused(HTTPStatus.NOT_FOUND, f"tile {name!r} is not in the queue")


def draw_sheets(root: Path) -> list[Path]:
    """Draw the tiles that wait as contact sheets, most uncertain first, with their outlines.

    Parameters
    ----------
    root : Path
        The labelling folder.

    Returns
    -------
    list of Path
        ``sheets/000.png`` and so on, of 100 tiles each; sheets drawn before are removed.

    Raises
    ------
    UserError
        If a tile or its labelme file cannot be read.
    """
    slide, waiting = open_slide(root), queue.waiting(queue.read(root))
    directory, paths = slide.root / folder.SHEETS, []
    for number, first in enumerate(track(range(0, len(waiting), ON_A_SHEET), "drawing sheets")):
        entries = waiting[first : first + ON_A_SHEET]
        picture = sheet(
            [slide.picture(entry.tile) for entry in entries],
            masks=[drawn_labels(slide.root, entry.tile) for entry in entries],
            captions=[
                entry.tile if entry.uncertainty is None else f"{entry.tile}   {entry.uncertainty:.2f}"
                for entry in entries
            ],
            side=SIDE,
        )
        paths.append(directory / f"{number:03d}.png")
        files.write(paths[-1], picture)
    for old in set(directory.glob("[0-9][0-9][0-9].png")) - {*paths}:
        old.unlink()
    return paths


def drawn_labels(root: Path, tile: str) -> np.ndarray | None:
    """Draw the shapes of a tile's labelme file as labels: (Y, X) int32; None where there is no file.

    Raises
    ------
    UserError
        If the file is not a labelme file.
    """
    path = folder.drawing_path(root, tile)
    if not path.is_file():
        return None
    drawing = labelme.read(path)
    return draw.draw_labels(drawing.shapes, drawing.size)


def svg(labels: np.ndarray) -> str:
    """Outline labels (Y, X) as a picture that a browser lays over the tile; holes are outlined too.

    An outline runs along the border pixels of an object. The line is as wide on every screen, however far the
    tile is enlarged.
    """
    contours = []
    for number in np.unique(labels[labels > 0]):
        mask = (labels == number).astype(np.uint8)
        contours += cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)[0]
    lines = (" ".join(f"{x},{y}" for x, y in contour.reshape(-1, 2)) for contour in contours)
    height, width = labels.shape
    colour = "#{:02x}{:02x}{:02x}".format(*PREDICTED)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-0.5 -0.5 {width} {height}" fill="none" '
        f'stroke="{colour}" stroke-width="1.5" stroke-linejoin="round">'
        f'<path vector-effect="non-scaling-stroke" d="{"".join(f"M{line}Z" for line in lines)}"/></svg>'
    )


def _png(picture: np.ndarray) -> Answer:
    return Answer(cv2.imencode(".png", picture[..., ::-1])[1].tobytes(), "image/png", keep=True)
