"""A prediction of a file that dies, and goes on, and dies.

As a program, ``python dying.py IMAGE RESULT SEED``, it is killed at ten moments, resumed each time, and then
left alone to finish. What answers is no network, so that all of it takes a second.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from specs import segmenter

from kerasseg.images import ondisk
from kerasseg.images.writing import tiff as writing_tiff
from kerasseg.inference import large_image, resume
from kerasseg.inference.large_image import Output, segment
from kerasseg.inference.resume import Ledger
from kerasseg.spec import ModelSpec

SIZE = (411, 150)  # 17 rows of tiles: the first five kills cost at most two of them each
TILES = {"tile": 32, "overlap": 4, "batch_size": 3}
SOON = 2  # calls


def bright(batch: np.ndarray) -> np.ndarray:
    """Find bright pixels."""
    return batch.copy()


def predict(image: Path, result: Path) -> None:
    segment(image, result, segmenter(lambda batch: bright(batch), TILES), Output("labels", "tiff"))


@dataclass(frozen=True)
class Moment:
    """The call of a function, in which it does not more than `last` before the program dies."""

    owner: Any
    name: str
    soon: int = 1
    last: Callable[..., object] = lambda *_, **__: None

    def come(self, number: int) -> None:
        whole, calls = getattr(self.owner, self.name), itertools.count()

        def dying(*arguments, **named):
            if next(calls) == number:
                self.last(*arguments, **named)
                os.kill(os.getpid(), signal.SIGKILL)
            return whole(*arguments, **named)

        setattr(self.owner, self.name, dying)


def half_a_band(begun: Ledger, rows: slice, band: np.ndarray, height: int) -> None:
    if begun.rows:
        begun.answer[rows.start : rows.start + len(band) // 2] = band[: len(band) // 2]


def half_the_text(path: Path, text: str, encoding: str) -> None:
    with path.open("w", encoding=encoding) as file:
        file.write(text[: len(text) // 2])


def half_the_numbers(mask: np.ndarray, landscape: None, spec: ModelSpec, begun: Ledger) -> None:
    ondisk.create(begun.folder / "labels.npy", np.dtype(np.int32), mask.shape)[: len(mask) // 2] = 7


def half_a_tiff(path: Path, result: object) -> None:
    tiles = itertools.islice(writing_tiff._tiles(result.pyramid(0, 0)[:1], (64, 64)), 9)
    (path.parent / ".half.tif").write_bytes(b"".join(tile.tobytes() for tile in tiles))


def answers_without_their_ledger(folder: Path) -> None:
    (folder / resume.ANSWER).unlink()


WHILE_PREDICTING = {
    "asked for a batch": Moment(sys.modules[__name__], "bright", soon=12),
    "half a band is written": Moment(Ledger, "keep", SOON, half_a_band),
    "a band is not yet on the disk": Moment(ondisk.OnDisk, "flush", SOON),
    "a band is not yet counted": Moment(Ledger, "write", SOON),
    "half a ledger is written": Moment(Path, "write_text", SOON, half_the_text),
}
AT_THE_END = {
    "half the objects are numbered": Moment(large_image, "_numbered", last=half_the_numbers),
    "half the result is written": Moment(large_image, "write_tiff", last=half_a_tiff),
    "the result has no name yet": Moment(large_image, "_give_name"),
    "the result is not yet recorded": Moment(large_image, "record"),
    "half the folder is cleared away": Moment(resume.shutil, "rmtree", last=answers_without_their_ledger),
}


def was_killed(image: Path, result: Path, moment: Moment, number: int) -> bool:
    """Go on in a fork of this process until `moment` comes."""
    child = os.fork()
    if not child:
        moment.come(number)
        predict(image, result)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


if __name__ == "__main__":
    image, result, rng = Path(sys.argv[1]), Path(sys.argv[2]), np.random.default_rng(int(sys.argv[3]))
    moments = {name: WHILE_PREDICTING[name] for name in rng.permutation(list(WHILE_PREDICTING))} | AT_THE_END
    for name, moment in moments.items():
        if not was_killed(image, result, moment, int(rng.integers(moment.soon))):
            sys.exit(f"was not killed when {name}")
        print(f"killed when {name}, {len(list(result.parent.glob('.*/*')))} files begun")
    predict(image, result)
