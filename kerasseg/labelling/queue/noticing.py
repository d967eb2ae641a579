"""What people drew with labelme since the queue was looked at last."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from kerasseg.console import say, track
from kerasseg.errors import Mistakes
from kerasseg.labelling import folder
from kerasseg.labelling.queue import marked, states, table
from kerasseg.labelling.queue.file import change, read
from kerasseg.labelling.queue.marked import Mark, Marked
from kerasseg.labelling.queue.table import Entry

SHOWN = 10  # names of tiles in a message


def notice(root: Path, who: str = "labelme") -> list[Entry]:
    """Notice what people drew with labelme: tiles whose shapes they changed become ``edited``.

    What is missing is said. A file in which an older decision stands, as labelme writes back what it read
    long before, gets that of the queue.

    Parameters
    ----------
    root : Path
        The labelling folder.
    who : str, default "labelme"
        Who drew, as far as that is known.

    Returns
    -------
    list of Entry
        Those that became ``edited``, at the times when their files were saved.

    Raises
    ------
    UserError
        If any labelme file is made into nonsense, each named; nothing is changed then.
    """
    entries = read(root)
    drawings = _drawings(root, entries)
    _say_what_is_missing(root, entries)
    touched = {entry.tile for entry in entries if _is_touched(entry, drawings.get(entry.tile))}
    saved = {tile: _saved_at(folder.drawing_path(root, tile)) for tile in touched}
    if touched:
        entries = change(
            root, lambda now: [states.edited(e, who, saved[e.tile]) if e.tile in saved else e for e in now]
        )
    for entry in entries:
        if entry.tile in drawings and _is_stale(drawings[entry.tile].mark, entry):
            marked.decide(folder.drawing_path(root, entry.tile), *entry.decision)
    return [entry for entry in entries if entry.tile in touched]


def _drawings(root: Path, entries: list[Entry]) -> dict[str, Marked]:
    """Read the labelme files that there are, and name all that cannot be read."""
    drawings, mistakes = {}, Mistakes()
    for entry in track(entries, "looking for edits"):
        path = folder.drawing_path(root, entry.tile)
        with mistakes.noted():
            if path.is_file():
                drawings[entry.tile] = marked.read(path)
    mistakes.check()
    return drawings


def _is_touched(entry: Entry, found: Marked | None) -> bool:
    """Tell whether somebody drew since the tile was proposed or decided upon."""
    if found is None:
        return False
    if found.mark is None:  # labelme made the file: it was not there, or had been deleted
        return entry.state != "selected" or found.is_changed
    return found.is_changed_since_seen


def _is_stale(mark: Mark | None, entry: Entry) -> bool:
    told = (mark.decision, mark.who, mark.when) if mark else ("", "", "")
    return told != entry.decision


def _saved_at(path: Path) -> str:
    return table.time(datetime.fromtimestamp(path.stat().st_mtime, UTC))


def _say_what_is_missing(root: Path, entries: list[Entry]) -> None:
    images = folder.tile_images(root)
    drawn = {path.stem for path in (Path(root) / "queue").glob("*.json")}
    known = {entry.tile for entry in entries}
    for problem, tiles in {
        "no longer in tiles/; put the files back, or delete these lines of queue.csv": known - images.keys(),
        "without their JSON in queue/; put it back, or propose again": {
            entry.tile for entry in entries if entry.state != "selected"
        }
        - drawn,
        "drawn in queue/, but not in queue.csv; they are not used for training": drawn - known,
    }.items():
        if tiles:
            more = f" and {len(tiles) - SHOWN} more" if len(tiles) > SHOWN else ""
            say(f"{root}: {', '.join(sorted(tiles)[:SHOWN])}{more}: {problem}", style="yellow")
