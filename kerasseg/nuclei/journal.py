"""What was found so far, slice by slice, on disk: what a killed extraction goes on from.

The first line of ``sightings.jsonl`` says what was asked, each further line what one slice holds. A line is
on the disk before the next slice is begun; one that a kill cut off is forgotten, and its slice done again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from kerasseg.errors import UserError, changes, unwritable
from kerasseg.files import write_atomically
from kerasseg.nuclei.linking import Sighting

NAME = "sightings.jsonl"


class Journal:
    """The sightings in a folder.

    Parameters
    ----------
    folder : Path
        Where results go.
    request : mapping
        What identifies the extraction: names to JSON's values, or to further such mappings.

    Attributes
    ----------
    slices : int
        How many are done.

    Raises
    ------
    UserError
        If what was begun there was asked otherwise; every difference is named.
    """

    def __init__(self, folder: Path, request: Mapping[str, Any]) -> None:
        self.path = folder / NAME
        request = json.loads(json.dumps(request))  # tuples become lists, as they do on disk
        if not self.path.exists():
            with write_atomically(self.path) as temporary:
                temporary.write_text(json.dumps(request) + "\n", encoding="utf-8")
        first, *lines = self._complete_lines()
        if changed := changes(json.loads(first), request):
            raise UserError(
                f"{folder}: another extraction was begun here; ask as before to go on with it, or name "
                "another folder",
                *(f"  {line}" for line in changed),
            )
        self.slices = len(lines)

    def keep(self, sightings: Sequence[Sighting]) -> None:
        """Write what the next slice holds."""
        line = json.dumps([astuple(sighting) for sighting in sightings]) + "\n"
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise unwritable(self.path, error) from error
        self.slices += 1

    def sightings(self) -> Iterator[Sighting]:
        """Yield all of them in the order of slices."""
        with self.path.open(encoding="utf-8") as file:
            next(file)
            for line in file:
                yield from (Sighting(*values) for values in json.loads(line))

    def _complete_lines(self) -> list[bytes]:
        """Read the lines that have an end, and cut off what a kill left of another."""
        content = self.path.read_bytes()
        complete = content[: content.rfind(b"\n") + 1]
        if len(complete) < len(content):
            os.truncate(self.path, len(complete))
        return complete.splitlines()
