"""The folder of a run, ``runs/NAME/N/``: its files, what state it is in, and everything that it said.

This is the one place that names these files; ``docs/runs.md`` says what is in them.
"""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from kerasseg import files, locks
from kerasseg.console import log, saying_warnings
from kerasseg.errors import Blocked, UserError, changes, if_interrupted, unwritable
from kerasseg.runs import shipped

RECIPE, SPLIT, HISTORY, LOG = "recipe.yaml", "split.csv", "history.csv", "log.txt"
HISTOGRAMS = "histograms.svg"
STATUS, ENVIRONMENT, DATA = "status.json", "environment.json", "data.json"
BASE = "base.json"  # the model that training went on from
MODEL, SPEC, SUMMARY, METRICS = "model.keras", "spec.json", "model.json", "metrics.json"
CHECKPOINTS, EXAMPLES, SAMPLES, EXPORT = "checkpoints", "examples", "samples", "export"
PREDICTIONS, OVERLAYS, MASKS = "predictions", "predictions/overlays", "masks"
OBJECTS, REBUILT = "predictions/objects.csv", "predictions/rebuilt"
OPENVINO = "openvino"  # what answers without TensorFlow
INT8 = "int8"  # the same, in int8
EVALUATIONS = "evaluations"  # on images other than the test's
REPORT = "report.html"

FINISHED, FAILED = "finished", "failed"
GO_ON = "keeps what is complete; repeat the command with --resume to continue"


@dataclass
class RunDirectory:
    """One run's folder.

    Parameters
    ----------
    path : Path
        ``runs/<name>/<n>``.
    fallbacks : list of str
        What took the place of what the recipe asked for, while this folder was `kept`.
    """

    path: Path
    fallbacks: list[str] = field(default_factory=list)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @property
    def is_shipped(self) -> bool:
        """Whether it is a model that came with the package, where nothing is written."""
        return self.path.parent.resolve() == shipped.FOLDER

    @property
    def results(self) -> Path:
        """Where goes what is made of the run later: its folder; of a shipped model, ``runs/NAME`` here."""
        return Path("runs") / self.path.name if self.is_shipped else self.path

    @property
    def state(self) -> str:
        """One of running, finished, interrupted and failed; a run that was killed is still running."""
        return self.read_json(STATUS).get("state", "running")

    def read_json(self, name: str) -> Any:
        """Read facts that were written by `write_json`; an empty dict where they were not yet."""
        path = self / name
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def write_json(self, name: str, facts: Any) -> None:
        """Write facts as JSON, complete or not at all; NaN, which JSON does not know, is null."""
        files.write_json(self / name, _without_nan(facts))

    def set_state(self, state: str, **facts: Any) -> None:
        """Say in ``status.json`` how far the run is, keeping what was said before but an error."""
        before = self.read_json(STATUS) or {"started": _now()}
        before.pop("error", None)  # of an attempt that was gone on with
        self.write_json(STATUS, {**before, "state": state, "changed": _now(), **facts})

    def held(self) -> AbstractContextManager[None]:
        """Keep other processes from writing into the run; see `kerasseg.locks.held`."""
        return locks.held(self / ".lock", self.path)

    @contextmanager
    def kept(self) -> Iterator[RunDirectory]:
        """Keep what the run says in ``log.txt``, its fallbacks, and how it ends in ``status.json``.

        A run that is refused before it has learnt anything leaves no folder, so its number is free again.

        Raises
        ------
        Blocked
            If another process is at work there.
        """
        with self.held():
            self.set_state("running", process=os.getpid())
            handler = _LogFile(self / LOG, encoding="utf-8")
            handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
            log.addHandler(handler)
            refused = False
            try:
                with saying_warnings(self.fallbacks), if_interrupted(f"{self.path} {GO_ON}"):
                    yield self
            except BaseException as error:
                state = "interrupted" if isinstance(error, KeyboardInterrupt) else FAILED
                refused = isinstance(error, UserError) and not (self / CHECKPOINTS).exists()
                with suppress(Blocked):  # a full disk, of which the error itself tells
                    self.set_state(state, error=str(error))
                raise
            finally:
                log.removeHandler(handler)
                handler.close()
                if refused:
                    shutil.rmtree(self.path)
                    with suppress(OSError):  # other runs are in it
                        self.path.parent.rmdir()


class _LogFile(logging.FileHandler):
    """A log that cannot be written is an error, and not a traceback beside the one that follows."""

    def handleError(self, record: logging.LogRecord) -> None:
        raise  # logging calls this where it has caught the error


def create(name: str, recipe: str, root: Path) -> RunDirectory:
    """Make the next free folder of a recipe, with the resolved recipe in it.

    Parameters
    ----------
    name : str
        The recipe's.
    recipe : str
        All of it, as YAML.
    root : Path
        Where runs are kept.

    Returns
    -------
    RunDirectory

    Raises
    ------
    UserError
        If it cannot be written.
    """
    while True:
        path = next_number(root / name)
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue  # another process was faster
        except OSError as error:
            raise unwritable(path, error) from error
        return _begin(path, recipe)


def _begin(path: Path, recipe: str) -> RunDirectory:
    with files.write_atomically(path / RECIPE) as temporary:
        temporary.write_text(recipe, encoding="utf-8")
    return RunDirectory(path)


def unfinished(name: str, recipe: str, root: Path) -> RunDirectory:
    """Find the last run of a recipe, to continue it.

    Parameters
    ----------
    name, recipe, root
        See `create`.

    Returns
    -------
    RunDirectory

    Raises
    ------
    UserError
        If there is none, it has finished, or it followed another recipe.
    """
    numbers = _numbers(root / name)
    if not numbers:
        raise UserError(f"{root / name}: there is no run to resume; leave out --resume to start one")
    last = RunDirectory(root / name / str(max(numbers)))
    if not (last / RECIPE).exists():
        return _begin(last.path, recipe)  # it was killed before it had one
    if last.state == FINISHED:
        raise UserError(f"{last.path}: this run has finished; leave out --resume to start another")
    followed = (last / RECIPE).read_text(encoding="utf-8")
    if changed := changes(yaml.safe_load(followed), yaml.safe_load(recipe)):
        raise UserError(
            f"{last.path}: this run followed another recipe, so it cannot be resumed with this one; "
            "set these back, or leave out --resume to start another run",
            *(f"  {line}" for line in changed),
        )
    return last


def last_finished(name: str, root: Path) -> RunDirectory | None:
    """Find the newest run of a recipe that has come to its end; None where there is none."""
    for number in sorted(_numbers(root / name), reverse=True):
        if (run := RunDirectory(root / name / str(number))).state == FINISHED:
            return run
    return None


def listed(root: Path) -> list[RunDirectory]:
    """Find all runs below a folder, by their recipes' names and their numbers.

    Raises
    ------
    UserError
        If there is none.
    """
    folders = {path.parent for path in root.rglob(RECIPE) if path.parent.name.isdigit()}
    if not folders:
        raise UserError(f"{root}: there is no run here; kerasseg run RECIPE makes one")
    return [RunDirectory(path) for path in sorted(folders, key=lambda path: (path.parent, int(path.name)))]


def existing(path: Path) -> RunDirectory:
    """Open the folder of a run, given as itself or as a file in it, or a shipped model by its name.

    Parameters
    ----------
    path : Path
        Such as ``runs/cells/1``, its ``model.keras``, or ``nuclei-2d``, if nothing lies there.

    Raises
    ------
    UserError
        If there is no run there, and no shipped model of that name.
    """
    folder = shipped.located(path.parent if path.is_file() else path)
    if not (folder / RECIPE).is_file():
        if numbers := _numbers(folder):
            raise UserError(f"{path}: this folder holds runs; name one, such as {folder / str(max(numbers))}")
        expected = f"expected a folder such as runs/NAME/1 that holds {RECIPE}"
        raise UserError("; ".join(filter(None, (f"{path}: not a run", expected, shipped.unknown_name(path)))))
    return RunDirectory(folder)


def with_results(path: Path) -> RunDirectory:
    """Open the folder of a run as `existing` does, with its images' results, which no shipped model brings.

    Raises
    ------
    UserError
        If there is no run there, or it is a shipped model.
    """
    run = existing(path)
    if run.is_shipped:
        name = run.path.name
        raise UserError(
            f"{path}: this is a shipped model, which brings no images and no results of its own; its scores "
            f"are in kerasseg models {name}, and on your images in kerasseg evaluate {name} --data FOLDER"
        )
    return run


def _without_nan(facts: Any) -> Any:
    if isinstance(facts, Mapping):
        return {key: _without_nan(value) for key, value in facts.items()}
    if isinstance(facts, list | tuple):
        return [_without_nan(value) for value in facts]
    return None if isinstance(facts, float) and math.isnan(facts) else facts


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _numbers(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.glob("*") if path.name.isdigit()]


def next_number(folder: Path) -> Path:
    """Give the first path ``folder/1``, ``folder/2``, ... after those that exist."""
    return folder / str(max(_numbers(folder), default=0) + 1)
