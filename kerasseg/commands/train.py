"""The story of one run: from a recipe to a trained model, its scores, its export and its report."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import asdict, replace
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kerasseg import __version__
from kerasseg.commands import base, build, preparation
from kerasseg.commands.evaluate import score
from kerasseg.commands.export import export_model
from kerasseg.commands.inspect import describe
from kerasseg.console import say
from kerasseg.data.split import Split, write_split
from kerasseg.data.survey import Contents, describe_data, total
from kerasseg.errors import UserError, changes, flattened
from kerasseg.files import write_atomically
from kerasseg.images import files
from kerasseg.images.folders import file_name
from kerasseg.images.histogram_matching import Matching
from kerasseg.inference import openvino
from kerasseg.inference.overlap import resolve_overlap
from kerasseg.recipe import Recipe, load
from kerasseg.report import charts, page, pictures
from kerasseg.runs import environment, rundirectory
from kerasseg.runs.rundirectory import RunDirectory
from kerasseg.segmenter import read_spec
from kerasseg.spec import ModelSpec
from kerasseg.synthetic.origin import is_synthetic
from kerasseg.training import checkpoint, devices


def run(
    recipe: Recipe,
    *,
    directory: Path = Path("runs"),
    resume: bool = False,
    setting: devices.Setting | None = None,
    parts: Split | None = None,
) -> RunDirectory:
    """Follow a recipe from files to report.

    Parameters
    ----------
    recipe : Recipe
    directory : Path
        Where runs are kept; this one gets ``<directory>/<name>/<n>``.
    resume : bool
        Whether to go on with the last run of this recipe, which was killed or interrupted.
    setting : Setting, optional
        What to compute on; by default what the recipe says.
    parts : Split, optional
        The recipe's samples, where they were shared out already.

    Returns
    -------
    RunDirectory
        Where everything stands.

    Raises
    ------
    UserError
        If the recipe, the data or the disk do not allow it.
    KeyboardInterrupt
        If Ctrl-C ended the training; what was learnt by then was scored and exported.
    """
    began, processor_began = time.monotonic(), time.process_time()
    find = rundirectory.unfinished if resume else rundirectory.create
    with find(recipe.name, recipe.to_yaml(), directory).kept() as folder:
        say(f"run {folder.path}")
        setting = setting or devices.configure(recipe.train.precision, recipe.train.devices)
        say(f"computing on {setting}")
        folder.write_json(rundirectory.ENVIRONMENT, environment.facts() | setting.facts())

        parts = parts or preparation.parts(recipe)
        match = preparation.matching(recipe, parts.train)
        learnt_from = survey_data(recipe, parts, match, folder)
        model = untrained(recipe, parts, setting)
        if not checkpoint.last(folder / rundirectory.CHECKPOINTS):
            base.keep(base.begin(recipe, model, match, learnt_from), folder)
        resolve_overlap(build.model_spec(recipe, model, match))  # refuses too small a tile before it learns
        history, appearance = build.learn(recipe, model, parts, folder.path, match=match, resume=resume)
        with write_atomically(folder / rundirectory.MODEL) as path:
            model.save(path)
        segmenter = build.segmenter(recipe, model, match, learnt_from)
        segmenter = replace(segmenter, spec=replace(segmenter.spec, appearance=appearance))
        with write_atomically(folder / rundirectory.SPEC) as path:
            path.write_text(segmenter.spec.to_json() + "\n", encoding="utf-8")

        evaluation = score(recipe, segmenter, parts.test, folder.path)
        times = {"training_s": round(sum(row["seconds"] for row in history.rows), 1)}
        folder.write_json(
            rundirectory.METRICS, {**asdict(evaluation), "fallbacks": folder.fallbacks, "times": times}
        )
        size = build.seen_size(recipe, segmenter.spec.stride, parts.train)
        folder.write_json(rundirectory.SUMMARY, describe(model, segmenter, size, recipe.train.batch_size))
        if recipe.export.saved_model and not recipe.data.sees:  # which only the whole cascade can answer
            versions = folder / rundirectory.EXPORT
            shutil.rmtree(versions, ignore_errors=True)  # of weights before a resumption
            export_model(model, segmenter.spec, folder, versions, recipe.name, parts.test[0])
        if recipe.export.openvino and find_spec("openvino"):
            keep_for_openvino(model, segmenter.spec, folder)
        state = "interrupted" if history.stopped == "interrupted" else rundirectory.FINISHED
        took = {
            "seconds": round(time.monotonic() - began, 1),
            "processor_s": round(time.process_time() - processor_began, 1),
            "peak_mib": environment.peak_mib(),
        }
        folder.set_state(state, stopped=history.stopped, fallbacks=folder.fallbacks, **took)
    say(f"report {page.write(folder.path)}")
    if history.stopped == "interrupted":
        epochs = len(history.rows)
        raise KeyboardInterrupt(f"after epoch {epochs}, which was scored; {folder.path} {rundirectory.GO_ON}")
    return folder


def keep_for_openvino(model: keras.Model, spec: ModelSpec, folder: RunDirectory) -> None:
    """Keep what predicts without TensorFlow; a run is as good without it, so that it cannot fail the run."""
    try:
        say(f"kept for predictions: {openvino.summary(openvino.keep(model, spec, folder.path))}")
    except Exception as error:  # of OpenVINO, or of TensorFlow, each of its own kind
        say(f"nothing is kept for OpenVINO: {error}", style="yellow")


def learn_together(recipe: Recipe, *, directory: Path = Path("runs"), resume: bool = False) -> None:
    """Follow a recipe as one of many workers, of which the chief alone keeps and reports what comes of it.

    Parameters
    ----------
    recipe : Recipe
        The same on all workers, as is what it reads.
    directory : Path
        Where the chief keeps runs.
    resume : bool
        See `run`; others than the chief get their state from it.

    Raises
    ------
    UserError
        See `run`; also if nothing says which workers there are, one of them is gone, or was told something
        else.
    KeyboardInterrupt
        If Ctrl-C ended the training, which can be resumed.
    """
    with devices.if_lost():
        setting = devices.join(recipe.train.precision)
        parts = preparation.parts(recipe)
        devices.agree(setting.strategy, _to_be_the_same(recipe, parts, resume))
        if devices.is_chief(setting.strategy):
            run(recipe, directory=directory, resume=resume, setting=setting, parts=parts)
            return
        say(f"computing on {setting}; worker 0 keeps the run")
        match = preparation.matching(recipe, parts.train)
        model = untrained(recipe, parts, setting)
        base.begin(recipe, model, match)
        with tempfile.TemporaryDirectory() as folder:
            build.learn(recipe, model, parts, Path(folder), match=match, resume=resume)


def _to_be_the_same(recipe: Recipe, parts: Split, resume: bool) -> dict[str, Any]:
    """Gather what workers that share batches must agree on, as each sees it.

    Folders may lie elsewhere on each machine: images are compared by name and size, a model by its weights.
    """
    data = {}
    for name, samples in parts.parts().items():
        listed = repr([(sample.name, sample.size) for sample in samples])
        data[name] = {"images": len(samples), "names and sizes": sha256(listed.encode()).hexdigest()[:12]}
    said, base = flattened(recipe.dump()), recipe.train.start_from
    return {
        "kerasseg": __version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "--resume": resume,
        "recipe": {key: value for key, value in said.items() if not key.endswith((".root", "start_from"))},
        "data": data,
        "weights of train.start_from": base and read_spec(Path(base)).weights[:12],
    }


def untrained(recipe: Recipe, parts: Split, setting: devices.Setting) -> keras.Model:
    """Build the model that a training begins with: the same each time."""
    keras.utils.set_random_seed(recipe.seed)
    with setting.scope():
        return build.network(recipe, preparation.model_channels(recipe, parts))


def trained(recipe: Recipe, folder: Path) -> RunDirectory | None:
    """Find the last finished run of a recipe, if that is what it was."""
    found = rundirectory.last_finished(recipe.name, folder)
    if found is None:
        return None
    if changed := changes(load(found / rundirectory.RECIPE).dump(), recipe.dump()):
        say(f"{recipe.name}: its recipe is another one than that of {found.path}: {'; '.join(changed)}")
        return None
    if not base.is_current(found):
        say(f"{recipe.name}: the model that {found.path} went on from has other weights now")
        return None
    say(f"{recipe.name}: trained already, {found.path}")
    return found


def is_begun(recipe: Recipe, folder: Path) -> bool:
    """Tell whether the last run of a recipe was interrupted and can be gone on with."""
    try:
        rundirectory.unfinished(recipe.name, recipe.to_yaml(), folder)
    except UserError:
        return False
    return True


def survey_data(recipe: Recipe, parts: Split, match: Matching | None, folder: RunDirectory) -> Contents:
    """Read every sample once, say and write down what there is.

    Returns
    -------
    Contents
        Of the training images.

    Raises
    ------
    UserError
        If a file cannot be read, or there is nothing to learn.
    """
    group_by = recipe.data.split.group_by
    contents = preparation.surveyed(recipe, parts, match)
    everything = total(list(contents.values()))
    for line in everything.lines(recipe.data.classes):
        say(line)
    if (problems := preparation.problems(recipe, contents)) and not recipe.data.allow_empty:
        raise UserError(*problems, "set data.allow_empty: true to train all the same")
    for problem in preparation.without_truth(recipe, contents):
        say(f"warning: {problem}", style="yellow")
    synthetic = any(is_synthetic(source.root) for source in recipe.data.sources)
    described = describe_data(parts, everything, recipe.data.classes, group_by, synthetic=synthetic)
    folder.write_json(rundirectory.DATA, described)
    write_split(folder / rundirectory.SPLIT, parts, group_by)
    for sample in parts.train[: page.MOST_EXAMPLES[recipe.data.rank]]:
        shown = sample.middle()
        picture = pictures.annotated(sample.read(shown), sample.annotated(shown).mask, sample.spacing)
        files.write(folder / rundirectory.EXAMPLES / f"{file_name(sample.name)}.png", picture)
    if match is not None:
        counts = preparation.histograms([*parts.train, *parts.validation, *parts.test], match)
        with write_atomically(folder / rundirectory.HISTOGRAMS) as path:
            path.write_bytes(charts.histograms(counts))
    return contents["train"]
