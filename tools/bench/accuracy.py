"""How good recipes are on images that they never saw, and the processor time that they took.

    python tools/bench/accuracy.py nuclei data/nuclei_dsb2018
    python tools/bench/accuracy.py recordings data/phase_kaggle --seeds 7 8 --contender today \\
        --contender turned 'data.augment=[{D4: {p: 1}}]' --contender mine mine.yaml train.epochs=5

A contender is a name, then a recipe (by default the work's own) and overrides. `kerasseg run` trains each
once for each seed in ``OUT/runs``, unless that is done. What is held out has no part in training:

nuclei      a third of the fields, of every kind alike; another one for each of three seeds that follow
kinds       a whole kind of nuclei: those on bright ground, large frames, or frames of middle size
phase       the test fields that the recipe itself draws
recordings  a third of the recordings, which follow each other in time; another one for each seed

Dice is pooled over pixels, and AP (TP / (TP + FP + FN)), PQ, merges and splits over objects; lowest is the
Dice of the worst image. Where there are several seeds, means stand before the lowest and the highest.
`--stardist PYTHON` names an interpreter that has stardist and tf_keras, and trains StarDist on the same
images for as many processor seconds as the first contender took.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from kerasseg.commands import preparation
from kerasseg.errors import UserError, changes, counted
from kerasseg.images import files
from kerasseg.images.normalisation import Percentile
from kerasseg.images.preprocessing import Preprocessing
from kerasseg.metrics import instance, pixel
from kerasseg.recipe import Recipe, load
from kerasseg.runs.rundirectory import METRICS, RECIPE, STATUS, RunDirectory, last_finished

THIRDS = 3
BRIGHT = 128  # mean intensity of 8 bits; fluorescence is dark
LARGE, MIDDLE = 500, 300  # pixels of the longer side
BARE = ("export.saved_model=false",)  # which nobody asks for here
QUICK = ("train.epochs=1", "train.steps_per_epoch=2", "train.batch_size=2")


class Work(NamedTuple):
    """What is segmented, and what is held out.

    Attributes
    ----------
    recipe : str
        The shipped recipe to begin with.
    root : str
        Its key of the data's folder.
    prepare : callable
        From that folder, and one to write into, to the folder that is given to the recipe.
    held_out : str
        The attribute of samples whose value 0, 1 or 2 is held out; empty where the recipe draws its test.
    overrides : tuple of str
    """

    recipe: str
    root: str
    prepare: Callable[[Path, Path], Path]
    held_out: str = ""
    overrides: tuple[str, ...] = ()


class Contender(NamedTuple):
    """A recipe that is to be trained, under a name."""

    name: str
    recipe: str
    overrides: tuple[str, ...]


class Scores(NamedTuple):
    """What became of a training; None where objects were not told apart."""

    dice: float
    lowest: float
    ap50: float | None
    ap75: float | None
    pq: float | None
    merges: int | None
    splits: int | None
    processor_s: float


def as_it_is(root: Path, out: Path) -> Path:
    """Take the data as they are."""
    return root


def fields_by_third(root: Path, out: Path) -> Path:
    """Deal the fields of nuclei, bright and dark, small and large, into three folders of links."""
    ranked = sorted(_fields(root), key=lambda field: (field.bright, field.size, field.folder.name))
    return _linked(out / "nuclei", ((str(number % THIRDS), field) for number, field in enumerate(ranked)))


def fields_by_kind(root: Path, out: Path) -> Path:
    """Put the fields of nuclei into folders of links by their kind; small dark frames are always learnt."""
    return _linked(out / "kinds", ((_kind(field), field) for field in _fields(root)))


class Field(NamedTuple):
    """A field of the Data Science Bowl: its folder, which holds ``images`` and ``masks``."""

    folder: Path
    size: tuple[int, ...]
    bright: bool


def _fields(root: Path) -> list[Field]:
    images = sorted(path for path in root.resolve().rglob("*/images/*") if path.suffix in files.SUFFIXES)
    if not images:
        raise UserError(f"{root}: there is no field here; expected ID/images/ID.png with ID/masks/*.png")
    read = {path.parents[1]: files.read(path) for path in images}
    return [Field(folder, image.shape[:2], image[..., :3].mean() > BRIGHT) for folder, image in read.items()]


def _kind(field: Field) -> str:
    if field.bright:
        return "0"
    return "1" if max(field.size) > LARGE else "2" if max(field.size) > MIDDLE else "learnt"


def _linked(out: Path, fields: Iterable[tuple[str, Field]]) -> Path:
    for part, field in fields:
        link = out / part / field.folder.name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(field.folder)
    return out


def recordings_by_third(root: Path, out: Path) -> Path:
    """Write the table of phase-contrast cells once more, with a column that says each recording's third."""
    out = out / "recordings"
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "train").is_symlink():
        (out / "train").symlink_to((root / "train").resolve())
    csv.field_size_limit(sys.maxsize)  # the run lengths of a cell are one field
    with (root / "train.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    recordings = sorted({row["sample_id"] for row in rows}, key=_by_number)
    third = {name: str(number * THIRDS // len(recordings)) for number, name in enumerate(recordings)}
    with (out / "train.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, (*rows[0], "third"))
        table.writeheader()
        table.writerows(row | {"third": third[row["sample_id"]]} for row in rows)
    return out


def _by_number(name: str) -> tuple[int, str]:
    """Sort set9 before set10."""
    return int(next(iter(re.findall(r"\d+", name)), 0)), name


INSTANCES, SARTORIUS = "data.source.instances.root", "data.source.sartorius.root"
OBJECTS = ("instances=components",)
WORKS = {
    "nuclei": Work("nuclei", INSTANCES, fields_by_third, "folder"),
    "kinds": Work("nuclei", INSTANCES, fields_by_kind, "folder"),
    "phase": Work("phase_unet", SARTORIUS, as_it_is, overrides=OBJECTS),
    "recordings": Work("phase_unet", SARTORIUS, recordings_by_third, "third", OBJECTS),
}


def arguments(work: Work, contender: Contender, root: Path, seed: int, *, quick: bool) -> list[str]:
    """Give what `kerasseg run` takes: the recipe, and what is laid over it."""
    held_out = (f"data.split.test_where={{{work.held_out}: '{seed % THIRDS}'}}",) if work.held_out else ()
    data = (f"{work.root}={root}", *held_out)
    return [
        contender.recipe,
        *(f"name={contender.name}_{seed}", f"seed={seed}"),
        *(*data, *BARE, *work.overrides, *(QUICK if quick else ()), *contender.overrides),
    ]


def trained(given: Sequence[str], runs: Path) -> RunDirectory:
    """Train a recipe by `kerasseg run`, unless its last run is of the same recipe and has finished.

    Raises
    ------
    UserError
        If the recipe is wrong.
    SystemExit
        If the training ends with an error, which it has then said itself.
    """
    recipe = load(given[0], given[1:])
    run = last_finished(recipe.name, runs)
    if run is None or changes(load(run / RECIPE).dump(), recipe.dump()):
        command = [str(Path(sys.executable).with_name("kerasseg")), "run", *given, "--directory", str(runs)]
        print("+", *command, flush=True)
        if code := subprocess.run(command, check=False).returncode:
            raise SystemExit(code)
        run = last_finished(recipe.name, runs)
    return run


def scores_of_run(run: RunDirectory) -> Scores:
    """Read the scores of a run's first class, at the images' own size."""
    metrics = run.read_json(METRICS)
    pixels = metrics["test_original_size"] or metrics["test"]
    name = next(iter(pixels["classes"]))
    of_images = [image[name]["dice"] for image in pixels["images"].values()]
    objects = metrics["instances"] and metrics["instances"]["classes"].get(name)
    lowest = min(score for score in of_images if score is not None)
    return Scores(
        pixels["classes"][name]["dice"], lowest, *_of_objects(objects), run.read_json(STATUS)["processor_s"]
    )


def _of_objects(scores: dict[str, Any] | None) -> tuple[float | None, ...]:
    """Take AP at 0.5 and 0.75, PQ, merges and splits from `kerasseg.metrics.instance.scores`."""
    if not scores:
        return (None,) * 5
    by_iou = dict(zip(scores["by_threshold"]["iou"], scores["by_threshold"]["f1"], strict=True))
    ap = (by_iou[iou] / (2 - by_iou[iou]) for iou in (0.5, 0.75))  # F1 = 2 TP / (2 TP + FP + FN)
    return (*ap, scores["pq"], scores["merges"], scores["splits"])


def stardist(interpreter: str, recipe: Recipe, seconds: float, out: Path) -> Scores:
    """Train StarDist on a recipe's images for so many processor seconds, unless that is done; score it."""
    if not (out / "figures.json").is_file():
        for part, samples in preparation.parts(recipe).parts().items():
            (out / part).mkdir(parents=True, exist_ok=True)
            for number, sample in enumerate(samples):
                image = Preprocessing(1, Percentile(), None).image(sample.read())[..., 0]
                np.savez(out / part / f"{number}.npz", image=image, labels=sample.annotate().labels)
        script = Path(__file__).with_name("accuracy_stardist.py")
        subprocess.run([interpreter, str(script), str(out), str(seconds), str(recipe.seed)], check=True)
    counts, objects = [], []
    for path in sorted((out / "test").glob("*.npz")):
        true, labels = np.load(path)["labels"], np.load(out / "predicted" / f"{path.stem}.npy")
        counts.append(pixel.count((true > 0).astype(np.uint8), (labels > 0).astype(np.uint8), 1))
        objects.append(instance.count(instance.overlap(true, labels)))
    name = recipe.data.classes[0]
    dice = pixel.scores(counts, [name])[name]["dice"]
    lowest = min(pixel.image_scores(each, [name])[name]["dice"] for each in counts)
    took = json.loads((out / "figures.json").read_text())["processor_s"]
    return Scores(dice, lowest, *_of_objects(instance.scores(objects)), took)


def table(rows: dict[str, list[Scores]]) -> str:
    """Lay scores out in Markdown: a row for each contender, means over seeds, lowest and highest."""
    titles = ("Dice", "lowest", "AP 0.5", "AP 0.75", "PQ", "merges", "splits", "processor, s")
    lines = [f"| contender | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for name, scores in rows.items():
        cells = [_cell(values, whole=place > PQ) for place, values in enumerate(zip(*scores, strict=True))]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


PQ = Scores._fields.index("pq")  # after it come counts and seconds


def _cell(values: Sequence[float | None], *, whole: bool) -> str:
    if None in values:
        return "\N{EN DASH}"
    digits = 0 if whole else 3
    mean, low, high = (f"{value:.{digits}f}" for value in (fmean(values), min(values), max(values)))
    return mean if len(values) == 1 else f"{mean} ({low} to {high})"


def main() -> None:
    """Train what was not trained, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", choices=WORKS)
    parser.add_argument("data", type=Path, help="nuclei_dsb2018 or phase_kaggle, or data laid out like them")
    parser.add_argument("--contender", nargs="+", action="append", metavar=("NAME", "RECIPE|KEY=VALUE"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    parser.add_argument("--out", type=Path, default=Path("accuracy"), help="folder for runs and for links")
    parser.add_argument("--stardist", metavar="PYTHON", help="an interpreter that has stardist and tf_keras")
    parser.add_argument("--quick", action="store_true", help="two steps each: to see that all works")
    given = parser.parse_args()
    work, runs = WORKS[given.work], given.out / "runs" / given.work
    contenders = [contender(words, work) for words in given.contender or [["today"]]]
    rows: dict[str, list[Scores]] = {each.name: [] for each in contenders}
    try:
        root = work.prepare(given.data, given.out)
        for seed in given.seeds:
            for each in contenders:
                words = arguments(work, each, root, seed, quick=given.quick)
                rows[each.name].append(scores_of_run(trained(words, runs)))
        if reason := given.stardist and _why_not(given.stardist):
            print(f"StarDist is left out: {reason}")
        elif given.stardist:
            first = contenders[0]
            for seed, ours in zip(given.seeds, list(rows[first.name]), strict=True):
                words = arguments(work, first, root, seed, quick=given.quick)
                out = given.out / "stardist" / given.work / str(seed)
                peer = stardist(given.stardist, load(words[0], words[1:]), ours.processor_s, out)
                rows.setdefault("StarDist", []).append(peer)
    except UserError as error:
        parser.exit(2, "".join(f"error: {message}\n" for message in counted(error.messages)))
    print(table(rows))


def contender(words: Sequence[str], work: Work) -> Contender:
    """Read NAME [RECIPE] [KEY=VALUE ...]."""
    name, *rest = words
    recipe, *overrides = rest if rest and "=" not in rest[0] else [work.recipe, *rest]
    return Contender(name, recipe, tuple(overrides))


def _why_not(interpreter: str) -> str | None:
    """Say why an interpreter cannot train StarDist; None where it can."""
    environment = os.environ | {"TF_USE_LEGACY_KERAS": "1"}
    command = [interpreter, "-c", "import stardist.models"]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        return f"{interpreter}: {error.strerror}"
    return done.stderr.strip().rpartition("\n")[2] if done.returncode else None


if __name__ == "__main__":
    main()
