"""The verb `cascade run`: the stages of a cascade trained one after the other, merged, scored and reported.

Each stage is an ordinary run in ``<directory>/<name>/<stage>/<n>``. What a stage looks within is predicted on
its own images before it is trained, and kept in the run of the other stage: where that is trained anew the
recipe of this one changes, and it is trained anew too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasseg.cascade import FILE, Cascade, Stage
from kerasseg.commands import merged, preparation
from kerasseg.commands.train import run as train
from kerasseg.console import say, track
from kerasseg.data.sample import Sample
from kerasseg.errors import Mistakes, UserError, changes, unknown
from kerasseg.images.folders import file_name
from kerasseg.inference import mask_files
from kerasseg.recipe import Recipe, load
from kerasseg.recipe.cascade import CascadeRecipe
from kerasseg.report import cascade as page
from kerasseg.runs import rundirectory
from kerasseg.runs.rundirectory import METRICS, RECIPE, REGIONS, RunDirectory
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
        The only one to train; those that it looks within are trained already.

    Returns
    -------
    Path
        The cascade's folder.

    Raises
    ------
    UserError
        If a stage cannot be trained; stages that do not look within it are trained first.
    """
    if stage is not None and stage not in cascade.stages:
        raise UserError(f"--stage: {unknown('stage', stage, cascade.stages)}")
    folder, runs, mistakes = directory / cascade.name, {}, Mistakes()
    for name in cascade.order:
        region = cascade.within(name)
        if region and region.stage not in runs:
            if stage in (None, name):
                mistakes.add(
                    f"{name}: it looks within {region.stage}, which is not trained; train that first"
                )
            continue
        with mistakes.noted():
            recipe = _stage_recipe(cascade, name, runs)
            if found := _trained(recipe, folder):
                runs[name] = found
            elif stage in (None, name):
                runs[name] = _train(cascade, recipe, folder, runs, resume=resume)
    mistakes.check()
    if missing := [name for name in cascade.order if name not in runs]:
        say(f"not trained yet: {', '.join(missing)}")
        return folder
    return _merge(cascade, runs, folder)


def _stage_recipe(cascade: CascadeRecipe, name: str, runs: Runs) -> Recipe:
    """Give the recipe of a stage's run, with the place of the masks that it looks within."""
    region = cascade.within(name)
    return cascade.recipe(name, region and runs[region.stage] / f"{REGIONS}/{name}")


def _trained(recipe: Recipe, folder: Path) -> RunDirectory | None:
    """Find the finished run of a stage, if its recipe is what it was."""
    found = rundirectory.last_finished(recipe.name, folder)
    if found is None:
        return None
    if changed := changes(load(found / RECIPE).dump(), recipe.dump()):
        say(f"{recipe.name}: its recipe is another one than that of {found.path}: {'; '.join(changed)}")
        return None
    say(f"{recipe.name}: trained already, {found.path}")
    return found


def _train(cascade: CascadeRecipe, recipe: Recipe, folder: Path, runs: Runs, *, resume: bool) -> RunDirectory:
    """Train a stage, or go on with that; what it looks within is predicted before it is begun."""
    begun = resume and _is_begun(recipe, folder)
    region = cascade.within(recipe.name)
    if region and not begun:
        samples = preparation.samples(cascade.recipe(recipe.name))
        _write_regions(_assembled(cascade, runs), region.stage, samples, recipe.data.region.masks)
    say(f"stage {recipe.name}")
    return train(recipe, directory=folder, resume=begun)


def _is_begun(recipe: Recipe, folder: Path) -> bool:
    """Tell whether the last run of a stage was interrupted and can be gone on with."""
    try:
        rundirectory.unfinished(recipe.name, recipe.to_yaml(), folder)
    except UserError:
        return False
    return True


def _write_regions(cascade: Cascade, stage: str, samples: Sequence[Sample], folder: Path) -> None:
    """Predict a stage's masks of samples."""
    classes = cascade.stages[stage].segmenter.spec.classes
    for sample in track(samples, f"predicting by {stage}"):
        mask = cascade.stage_mask(stage, sample.read())
        mask_files.write(folder / file_name(sample.name), mask, classes, spacing=sample.spacing)


def _assembled(cascade: CascadeRecipe, runs: Runs) -> Cascade:
    """Load the stages that are trained."""
    stages = {}
    for name in [name for name in cascade.order if name in runs]:
        region = cascade.within(name)
        within = region and (region.stage, cascade.class_id(region))
        stages[name] = Stage(Segmenter.load(runs[name].path), within)
    merge = [each for each in cascade.merged if each.stage in runs]
    return Cascade(stages, tuple((each.stage, cascade.class_id(each)) for each in merge))


def _merge(cascade: CascadeRecipe, runs: Runs, folder: Path) -> Path:
    """Write down what the cascade is made of, score it, and write the report."""
    home = RunDirectory(folder)
    with home.held():
        home.write_json(FILE, _facts(cascade, runs))
        whole = Cascade.load(folder)
        home.write_json(METRICS, _scores(cascade, whole, runs, folder))
    say(f"report {page.write(folder)}")
    return folder


def _facts(cascade: CascadeRecipe, runs: Runs) -> dict[str, Any]:
    stages = {
        name: {
            "run": runs[name].path.relative_to(runs[name].path.parents[1]).as_posix(),
            "within": cascade.within(name),
        }
        for name in cascade.order
    }
    return {"name": cascade.name, "stages": stages, "merge": cascade.merged}


def _scores(cascade: CascadeRecipe, whole: Cascade, runs: Runs, folder: Path) -> dict[str, Any]:
    """Score the merged classes on test images whose truth has them all; say why where there are none."""
    recipes = {name: load(found / RECIPE) for name, found in runs.items()}
    classes = whole.spec.classes
    judge = next((name for name in cascade.stages if {*classes} <= {*recipes[name].data.classes}), None)
    if judge is None:
        return _unscored(f"no stage's data name all of the merged classes {', '.join(classes)}")
    learnt = _learnt(recipes)
    tested = preparation.parts(cascade.recipe(judge)).test
    samples = [sample for sample in tested if _file(sample) not in learnt]
    if not samples:
        return _unscored(f"some stage has learnt from each of the {len(tested)} test images of {judge}")
    scores = merged.evaluate(samples, recipes[judge].data.classes, whole, folder=folder)
    for name, of in scores["classes"].items():
        say(f"{name}: Dice {of['dice']:.4f}, IoU {of['iou']:.4f}, over {len(samples)} test images of {judge}")
    return {"stage": judge, "left_out": len(tested) - len(samples), "test": scores}


def _unscored(reason: str) -> dict[str, str]:
    say(f"the merged classes are not scored, as {reason}", style="yellow")
    return {"unscored": reason}


def _learnt(recipes: Mapping[str, Recipe]) -> set[Path]:
    """List the images that any stage has learnt from or was chosen by."""
    parts = [preparation.parts(recipe) for recipe in recipes.values()]
    return {_file(sample) for part in parts for sample in [*part.train, *part.validation]}


def _file(sample: Sample) -> Path:
    return Path(str(sample.image)).resolve()
