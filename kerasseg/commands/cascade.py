"""The verb `run` of a cascade: its stages trained one after the other, merged, scored and reported.

Each stage is an ordinary run in ``<directory>/<name>/<stage>/<n>``, and so is the baseline. What a stage sees
of others is predicted on its own images before it is trained, and kept in the run of the other stage: where
that is trained anew the recipe of this one changes, and it is trained anew too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasseg.cascade import FILE, Cascade, Stage
from kerasseg.commands import merged, preparation
from kerasseg.commands.train import is_begun, trained
from kerasseg.commands.train import run as train
from kerasseg.console import say, track
from kerasseg.data.region import mask_of
from kerasseg.data.sample import Sample
from kerasseg.errors import Mistakes, UserError, unknown
from kerasseg.images.folders import file_name
from kerasseg.inference import mask_files
from kerasseg.inference.backends import TENSORFLOW  # scores are those of the engine that trained
from kerasseg.recipe import Recipe, load
from kerasseg.recipe.cascade import BASELINE, CascadeRecipe, StageClass
from kerasseg.report import cascade as page
from kerasseg.runs.rundirectory import MASKS, METRICS, RECIPE, RunDirectory
from kerasseg.segmenter import Segmenter

Runs = dict[str, RunDirectory]


def run(
    cascade: CascadeRecipe, *, directory: Path = Path("runs"), resume: bool = False, stage: str | None = None
) -> Path:
    """Train what is not trained yet; when all stages are, merge and score them, and write the report.

    Parameters
    ----------
    cascade : CascadeRecipe
    directory : Path
        Where cascades are kept; this one gets ``<directory>/<name>``.
    resume : bool
        Whether to go on with runs that were killed or interrupted, instead of beginning them anew.
    stage : str, optional
        The only one to train; those that it sees something of are trained already.

    Returns
    -------
    Path
        The cascade's folder.

    Raises
    ------
    UserError
        If a stage cannot be trained; stages that see nothing of it are trained first.
    """
    names = [*cascade.order, *[BASELINE] * (cascade.baseline is not None)]
    if stage is not None and stage not in names:
        raise UserError(f"--stage: {unknown('stage', stage, names)}")
    folder, runs, mistakes = directory / cascade.name, {}, Mistakes()
    for name in names:
        needed = cascade.stages[name].needs if name != BASELINE else set()
        if missing := sorted(needed - {*runs}):
            if stage in (None, name):
                mistakes.add(
                    f"{name}: it sees something of {missing[0]}, which is not trained; train that first"
                )
            continue
        with mistakes.noted():
            masks = _mask_folders(cascade, name, runs)
            recipe = cascade.recipe(name, masks)
            if found := trained(recipe, folder):
                runs[name] = found
            elif stage in (None, name):
                runs[name] = _train(cascade, recipe, folder, runs, masks, resume=resume)
    mistakes.check()
    if missing := [name for name in names if name not in runs]:
        say(f"not trained yet: {', '.join(missing)}")
        return folder
    return _merge(cascade, runs, folder)


def _mask_folders(cascade: CascadeRecipe, name: str, runs: Runs) -> dict[str, Path]:
    """Say where the masks of the stages lie that a stage sees something of, in the runs that made them.

    Masks of other images lie elsewhere, so that those which an earlier run has learnt by stay what they were.
    """
    if name == BASELINE:
        return {}
    source = json.dumps(cascade.recipe(name).dump()["data"]["source"], sort_keys=True)
    place = f"{MASKS}/{hashlib.sha256(source.encode()).hexdigest()[:8]}"
    return {other: runs[other] / place for other in cascade.stages[name].needs}


def _train(
    cascade: CascadeRecipe,
    recipe: Recipe,
    folder: Path,
    runs: Runs,
    masks: Mapping[str, Path],
    *,
    resume: bool,
) -> RunDirectory:
    """Train a stage, or go on with that; what it sees of others is predicted before it is begun."""
    begun = resume and is_begun(recipe, folder)
    if masks and not begun:
        _write_masks(_assembled(cascade, runs), preparation.samples(cascade.recipe(recipe.name)), masks)
    say(f"stage {recipe.name}")
    return train(recipe, directory=folder, resume=begun)


def _write_masks(trained: Cascade, samples: Sequence[Sample], masks: Mapping[str, Path]) -> None:
    """Predict the masks of some stages into their folders, as far as they are not there."""
    for stage, folder in masks.items():
        missing = [sample for sample in samples if not _is_current(mask_of(sample, folder), sample)]
        classes = trained.stages[stage].segmenter.spec.classes
        for sample in track(missing, f"predicting by {stage}"):
            mask = trained.stage_mask(stage, sample.read())
            mask_files.write(folder / file_name(sample.name), mask, classes, spacing=sample.spacing)


def _is_current(mask: Path | None, sample: Sample) -> bool:
    """Tell whether a mask is there and was not made of an image that has been replaced since."""
    image = _file(sample)
    return mask is not None and (not image.is_file() or image.stat().st_mtime <= mask.stat().st_mtime)


def _assembled(cascade: CascadeRecipe, runs: Runs) -> Cascade:
    """Load the stages that are trained."""

    def numbered(of: StageClass) -> tuple[str, int]:
        return of.stage, cascade.class_id(of)

    stages = {}
    for name in [name for name in cascade.order if name in runs]:
        within = cascade.within(name)
        sees = tuple(map(numbered, cascade.sees(name)))
        segmenter = Segmenter.load(runs[name].path, engine=TENSORFLOW)
        stages[name] = Stage(segmenter, within and numbered(within), sees)
    return Cascade(stages, tuple(numbered(each) for each in cascade.merged if each.stage in runs))


def _merge(cascade: CascadeRecipe, runs: Runs, folder: Path) -> Path:
    """Write down what the cascade is made of, score it, and write the report."""
    home = RunDirectory(folder)
    with home.held():
        home.write_json(FILE, _facts(cascade, runs))
        whole = Cascade.load(folder, engine=TENSORFLOW)
        home.write_json(METRICS, _scores(cascade, whole, runs, folder))
    say(f"report {page.write(folder)}")
    return folder


def _facts(cascade: CascadeRecipe, runs: Runs) -> dict[str, Any]:
    def place(name: str) -> str:
        return runs[name].path.relative_to(runs[name].path.parents[1]).as_posix()

    stages = {
        name: {"run": place(name), "within": cascade.within(name), "sees": cascade.sees(name)}
        for name in cascade.order
    }
    facts = {"name": cascade.name, "stages": stages, "merge": cascade.merged}
    return facts | ({BASELINE: place(BASELINE)} if BASELINE in runs else {})


def _scores(cascade: CascadeRecipe, whole: Cascade, runs: Runs, folder: Path) -> dict[str, Any]:
    """Score what is merged, and the baseline, on images that nobody learnt from; say why where none are."""
    classes = whole.spec.classes
    data = {name: cascade.recipe(name).data for name in (BASELINE, *cascade.stages) if name in runs}
    named = {name: {*each.classes, *each.background} for name, each in data.items()}
    judge = next((name for name in named if {*classes} <= named[name]), None)
    if judge is None:
        return _unscored(f"no stage's data name all of the merged classes {', '.join(classes)}")
    learnt = _learnt({name: load(found / RECIPE) for name, found in runs.items()})
    tested, truth = _truth(cascade.recipe(judge))
    samples = [sample for sample in tested if _file(sample) not in learnt]
    if not samples:
        return _unscored(f"some stage has learnt from each of the {len(tested)} test images of {judge}")
    scores = {"test": merged.evaluate(samples, truth, classes, whole.mask, folder=folder)}
    if BASELINE in runs:
        alone = Segmenter.load(runs[BASELINE].path, engine=TENSORFLOW)
        numbers = merged.numbers(alone.spec.classes, classes)
        scores[BASELINE] = merged.evaluate(samples, truth, classes, lambda image: numbers[alone.mask(image)])
    for line in merged.lines(scores):
        say(line)
    return {"stage": judge, "left_out": len(tested) - len(samples), **scores}


def _truth(recipe: Recipe) -> tuple[list[Sample], list[str | None]]:
    """List the test's samples with all classes of their annotations, and these; None is to be ignored."""
    data = recipe.data
    names = [*data.classes, *data.ignore, *data.background]
    whole = data.model_copy(update={"classes": names, "ignore": [], "background": []})
    tested = preparation.parts(recipe.model_copy(update={"data": whole})).test
    return tested, [None if name in data.ignore else name for name in names]


def _unscored(reason: str) -> dict[str, str]:
    say(f"the merged classes are not scored, as {reason}", style="yellow")
    return {"unscored": reason}


def _learnt(recipes: Mapping[str, Recipe]) -> set[Path]:
    """List the images that any stage has learnt from or was chosen by."""
    parts = [preparation.parts(recipe) for recipe in recipes.values()]
    return {_file(sample) for part in parts for sample in [*part.train, *part.validation]}


def _file(sample: Sample) -> Path:
    return Path(str(sample.image)).resolve()
