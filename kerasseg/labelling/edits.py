"""What people drew with labelme since the queue was last brought up to date."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from kerasseg.console import say, track
from kerasseg.errors import Mistakes
from kerasseg.labelling import folder, provenance
from kerasseg.labelling.entries import Entry, timestamp
from kerasseg.labelling.provenance import ProvenancedDrawing
from kerasseg.labelling.queue import locked, read

SHOWN = 10  # names of tiles in a message


def sync_edits(root: Path, who: str = "labelme") -> list[Entry]:
    """Bring the queue up to date with labelme: tiles whose shapes a person changed become ``edited``.

    What is missing is said. A file in which an older decision stands, as labelme writes back what it read
    long before, gets that of the queue.

    Parameters
    ----------
    root : Path
    who : str
        Who drew, as far as that is known.

    Returns
    -------
    list of Entry
        Those that became ``edited``, at the times when their files were saved.

    Raises
    ------
    UserError
        If any labelme file is damaged, each named; nothing is changed then.
    """
    entries = read(root)
    drawings = _read_drawings(root, entries)
    _say_what_is_missing(root, {entry.tile: entry for entry in entries})
    saved = {}
    for entry in entries:
        if entry.tile in drawings and _is_touched(entry, drawings[entry.tile]):
            seconds = folder.drawing_path(root, entry.tile).stat().st_mtime
            saved[entry.tile] = timestamp(datetime.fromtimestamp(seconds, UTC))
    if saved:
        with locked(root) as queue:
            for tile in saved.keys() & queue.keys():
                queue[tile] = queue[tile].edited(who, saved[tile])
        entries = read(root)
    for entry in entries:
        if entry.tile in drawings and drawings[entry.tile].decision != entry.decision:
            provenance.decide(folder.drawing_path(root, entry.tile), *entry.decision)
    return [entry for entry in entries if entry.tile in saved]


def _read_drawings(root: Path, entries: list[Entry]) -> dict[str, ProvenancedDrawing]:
    """Read the labelme files that there are, and name all that cannot be read."""
    drawings, mistakes = {}, Mistakes()
    for entry in track(entries, "looking for edits"):
        with mistakes.noted():
            if drawing := provenance.read_if_there(folder.drawing_path(root, entry.tile)):
                drawings[entry.tile] = drawing
    mistakes.check()
    return drawings


def _is_touched(entry: Entry, drawing: ProvenancedDrawing) -> bool:
    """Tell whether somebody drew since the tile was proposed or decided upon."""
    if drawing.provenance is None:  # labelme made the file: it was not there, or had been deleted
        return entry.state != "selected" or drawing.is_changed
    return drawing.is_changed_since_seen


def _say_what_is_missing(root: Path, queue: dict[str, Entry]) -> None:
    drawn = {path.stem for path in (Path(root) / folder.DRAWINGS).glob("[!.]*.json")}
    begun = {tile for tile, entry in queue.items() if entry.state != "selected"}
    gone = {tile for tile in queue if not folder.tile_path(root, tile).is_file()}
    for problem, tiles in {
        "no longer in tiles/; put the files back, or delete these lines of queue.csv": gone,
        "without their JSON in queue/; put it back, or propose again": begun - drawn,
        "drawn in queue/, but not in queue.csv; they are not used for training": drawn - queue.keys(),
    }.items():
        if tiles:
            more = f" and {len(tiles) - SHOWN} more" if len(tiles) > SHOWN else ""
            say(f"{root}: {', '.join(sorted(tiles)[:SHOWN])}{more}: {problem}", style="yellow")
