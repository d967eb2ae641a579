"""Review without a program of ours on the screen: a page in the browser, to decide tile by tile.

The tiles that wait are shown most uncertain first; a key accepts, rejects or opens one in labelme. Each
decision is in ``queue.csv`` before the page goes on, so that nothing is lost whenever it is closed. `sheets`
draws the same tiles as pictures, to decide at a glance.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kerasseg.console import say, track
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.labelling.queue import queue
from kerasseg.labelling.queue.queue import Entry
from kerasseg.report import clusters
from kerasseg.report import sheets as contact
from kerasseg.report.slide import Slide, open_slide
from kerasseg.report.template import SHARED, fill
from kerasseg.review import outlines
from kerasseg.review.loopback import Answer, Loopback, Refused, answer

HERE = Path(__file__).parent
EDITOR = "labelme"
ON_A_SHEET = 100
SIDE = 256  # pixels of a tile on a sheet: outlines must be seen


def serve(root: Path, *, who: str | None = None, port: int = 0) -> None:
    """Let a person review on a page at this computer, until Ctrl-C.

    Parameters
    ----------
    root : Path
        The slide's folder.
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
                say(f"{len(review.history)} decisions saved to {Path(root) / 'queue.csv'}")


class Review:
    """What the page asks of a slide's folder.

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
        self.root, self.who = Path(root), who
        if not queue.read(self.root):
            raise UserError(f"{self.root / 'queue.csv'}: no tile is in the queue; select some first")
        self.slide = open_slide(self.root)
        self.history: list[tuple[str, str, str]] = []
        self.saving = threading.Lock()
        self.shown: set[str] = set()  # tiles that the page was told of
        self.edits = False

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
        facts = {"file": self.slide.file, "colours": clusters.COLOURS}
        return Answer(fill(HERE / "review.html", facts).encode(), "text/html; charset=utf-8")

    def _entries(self, _: str) -> Answer:
        """Give the whole queue, and the names of what waits, most uncertain first."""
        if self.edits:
            queue.notice(self.root)
        entries = queue.read(self.root)
        waiting = [entry.tile for entry in queue.waiting(entries)]
        self.shown = {entry.tile for entry in entries}
        return answer({"entries": [asdict(entry) for entry in entries], "waiting": waiting})

    def _outline(self, name: str) -> Answer:
        instances = outlines.labels(self.root, self._queued(name))
        nothing = np.zeros((1, 1), np.int32)
        return Answer(outlines.svg(nothing if instances is None else instances).encode(), "image/svg+xml")

    def _decide(self, told: Mapping[str, Any]) -> dict[str, Any]:
        with self.saving:
            before = self._known(told.get("tile"))
            entry = queue.decide(self.root, before.tile, str(told.get("state")), self.who)
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

    def _edit(self, told: Mapping[str, Any]) -> dict[str, str]:
        """Open a tile in labelme; what is drawn there is noticed when the page asks for entries again."""
        name = self._queued(told.get("tile"))
        drawing = self.root / "queue" / f"{name}.json"
        path = drawing if drawing.is_file() else drawing.with_suffix(".png")
        if shutil.which(EDITOR) is None:
            raise Refused(
                HTTPStatus.CONFLICT, f"{EDITOR} is not installed here; open {path} where it is installed"
            )
        subprocess.Popen([EDITOR, str(path)], start_new_session=True)
        self.edits = True
        return {"opened": str(path)}

    def _queued(self, name: Any) -> str:
        """Check that a tile is in the queue: nothing else is ever opened."""
        return name if isinstance(name, str) and name in self.shown else self._known(name).tile

    def _known(self, name: Any) -> Entry:
        for entry in queue.read(self.root):
            if entry.tile == name:
                return entry
        raise Refused(HTTPStatus.NOT_FOUND, f"tile {name!r} is not in the queue")


def sheets(root: Path) -> list[Path]:
    """Draw the tiles that wait as contact sheets, most uncertain first, with their outlines.

    Parameters
    ----------
    root : Path
        The slide's folder.

    Returns
    -------
    list of Path
        ``sheets/000.png`` and so on, of 100 tiles each; sheets of earlier times are removed.

    Raises
    ------
    UserError
        If a tile or its labelme file cannot be read.
    """
    slide, waiting = open_slide(root), queue.waiting(queue.read(root))
    folder = slide.root / "sheets"
    parts = [waiting[at : at + ON_A_SHEET] for at in range(0, len(waiting), ON_A_SHEET)]
    paths = [folder / f"{at:03d}.png" for at in range(len(parts))]
    for path, part in zip(paths, track(parts, "drawing sheets"), strict=True):
        files.write(path, _sheet(slide, part))
    for old in set(folder.glob("[0-9][0-9][0-9].png")) - {*paths}:
        old.unlink()
    return paths


def _sheet(slide: Slide, entries: Sequence[Entry]) -> np.ndarray:
    tiles = [slide.picture(entry.tile) for entry in entries]
    masks = [outlines.labels(slide.root, entry.tile) for entry in entries]
    captions = [_caption(entry) for entry in entries]
    return contact.sheet(tiles, masks=masks, captions=captions, side=SIDE)


def _caption(entry: Entry) -> str:
    return entry.tile if entry.uncertainty is None else f"{entry.tile}   {entry.uncertainty:.2f}"


def _png(picture: np.ndarray) -> Answer:
    return Answer(cv2.imencode(".png", picture[..., ::-1])[1].tobytes(), "image/png", keep=True)
