"""The story of one run: from a recipe to a trained model, its scores, its export and its report."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import keras

from kerasseg import postprocess
from kerasseg.commands import preparation
from kerasseg.commands.learning import learn
from kerasseg.console import say
from kerasseg.data.describe import describe, write_split
from kerasseg.data.sample import Sample
from kerasseg.data.survey import total
from kerasseg.errors import UserError
from kerasseg.files import write_atomically
from kerasseg.images import files
from kerasseg.images.folders import file_name
from kerasseg.inference import overlap as halo
from kerasseg.inference.forward import forward
from kerasseg.inference.predictor import Predictor
from kerasseg.inference.tiling import round_up
from kerasseg.models import MODELS, receptive_field, summary
from kerasseg.postprocess.pairs import Pairing
from kerasseg.recipe import Recipe
from kerasseg.recipe.instances import Components
from kerasseg.report import page, pictures
from kerasseg.report.ranking import is_score
from kerasseg.runs import environment, rundirectory
from kerasseg.runs.evaluation import Judgement, judge
from kerasseg.runs.rundirectory import RunDirectory
from kerasseg.serving.export import Export
from kerasseg.serving.export import export as export_saved_model
from kerasseg.spec import Metadata, Objects, Tiling
from kerasseg.synthetic.origin import is_synthetic
from kerasseg.training import devices
from kerasseg.training.history import History

ASSUMED_SIZES = {2: (256, 256), 3: (64, 64, 64)}
"""Of images and volumes that nobody has opened."""


def run(recipe: Recipe, *, directory: Path = Path("runs"), resume: bool = False) -> RunDirectory:
    """Follow a recipe from files to report.

    Parameters
    ----------
    recipe : Recipe
    directory : Path
        Where runs are kept; this one gets ``<directory>/<name>/<n>``.
    resume : bool
        Whether to go on with the last run of this recipe, which was killed or interrupted.

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
    find = rundirectory.unfinished if resume else rundirectory.create
    with find(recipe, directory).kept() as folder:
        say(f"run {folder.path}")
        setting = devices.configure(recipe.train.precision, recipe.train.devices)
        say(f"computing on {setting}")
        folder.write_json("environment.json", environment.facts() | setting.facts())

        parts, group_by = preparation.parts(recipe), recipe.data.split.group_by
        synthetic = any(is_synthetic(source.root) for source in recipe.data.sources)
        contents = preparation.surveyed(recipe, parts)
        everything = total(list(contents.values()))
        for line in everything.lines(recipe.data.classes):
            say(line)
        if (problems := preparation.problems(recipe, contents)) and not recipe.data.allow_empty:
            raise UserError(*problems, "data.allow_empty: true trains all the same")
        for problem in preparation.without_truth(recipe, contents):
            say(f"warning: {problem}", style="yellow")
        described = describe(parts, everything, recipe.data.classes, group_by, synthetic=synthetic)
        folder.write_json("data.json", described)
        write_split(folder / "split.csv", parts, group_by)
        show_examples(parts.train[: page.MOST_EXAMPLES[recipe.data.rank]], folder / "examples")

        keras.utils.set_random_seed(recipe.seed)
        with setting.scope():
            model = build(recipe, preparation.model_channels(recipe, parts))
        history = learn(recipe, model, parts, folder.path, resume)
        with write_atomically(folder / "model.keras") as path:
            model.save(path)

        answering = predictor(recipe, model)
        judgement = evaluate(recipe, answering, parts.test, folder.path)
        times = {"training_s": round(sum(row["seconds"] for row in history.rows), 1)}
        facts = {**asdict(judgement), "fallbacks": folder.fallbacks, "times": times}
        folder.write_json("metrics.json", facts)
        size = seen_size(recipe, model, parts.train)
        folder.write_json("model.json", describe_model(recipe, model, answering, size))
        if recipe.export.saved_model:
            shutil.rmtree(folder / "export", ignore_errors=True)  # of weights before a resumption
            export(recipe, model, folder, sample=parts.test[0])
        folder.set_state(_state(history), stopped=history.stopped, fallbacks=folder.fallbacks)
    say(f"report {page.write(folder.path)}")
    if history.stopped == "interrupted":
        epochs = len(history.rows)
        raise KeyboardInterrupt(f"after epoch {epochs}, which was scored; {folder.path} {rundirectory.GO_ON}")
    return folder


def show_examples(samples: list[Sample], folder: Path) -> None:
    """Draw the annotations of some samples over their images, for the report."""
    for sample in samples:
        picture = pictures.annotated(sample.read(), sample.annotate().mask, sample.spacing)
        files.write(folder / f"{file_name(sample.name)}.png", picture)


def build(recipe: Recipe, channels: int) -> keras.Model:
    """Build the recipe's model for images or volumes of any size."""
    outputs = len(recipe.data.classes) + (recipe.model.activation == "softmax")
    shape = (*(None,) * recipe.data.rank, channels)
    return MODELS[recipe.model.name](shape, outputs, **recipe.model.arguments)


def predictor(recipe: Recipe, model: keras.Model) -> Predictor:
    """Put the model together with what the recipe says about its input and its tiles."""
    told = metadata(recipe, model)
    tiles = halo.settled(asdict(told.tiling), told.radius, told.stride)
    return Predictor(forward(model), told.channels, told.normalise, told.resize, tiles)


def describe_model(
    recipe: Recipe, model: keras.Model, answering: Predictor, size: tuple[int, ...]
) -> dict[str, Any]:
    """Sum up what the model is made of and what it costs on images of a size."""
    say(f"measuring the model's cost at {'x'.join(map(str, size))}")
    return summary.describe(model, size, batch=recipe.train.batch_size, forward=answering.forward)


def evaluate(recipe: Recipe, answering: Predictor, samples: list[Sample], folder: Path) -> Judgement:
    """Score a model on samples that it never saw, and say how it did."""
    how = recipe.instances
    judgement = judge(
        samples,
        answering,
        classes=recipe.data.classes,
        activation=recipe.model.activation,
        threshold=recipe.evaluate.threshold,
        exclusive=recipe.data.exclusive,
        number=how and partial(postprocess.INSTANCES[how.name], **how.arguments),
        folder=folder,
        pairing=pairing(recipe),
    )
    if seams := judgement.seams:
        say(
            f"seams: tiles differ from the whole by {seams['mean']:.2g} on average, "
            f"{seams['largest']:.2g} at most"
        )
    for name, scores in judgement.test["classes"].items():
        if not is_score(scores["dice"]):
            say(f"{name}: no score, as no test image has a true pixel of it", style="bold yellow")
            continue
        low, high = scores["dice_interval"]
        say(
            f"{name}: Dice {scores['dice']:.4f} (95 % interval {low:.4f} to {high:.4f}), IoU "
            f"{scores['iou']:.4f}, pooled over {len(samples)} test images at size {judgement.size}"
        )
    if judgement.instances:
        say_objects(judgement.instances["classes"])
    if judgement.pairs:
        say(f"pairs: {judgement.pairs['found']} found for {judgement.pairs['true']} true ones")
    return judgement


def pairing(recipe: Recipe) -> Pairing | None:
    """Say which classes' objects are pairs, if the recipe asks for them."""
    if recipe.pairs is None:
        return None
    index = recipe.data.classes.index
    nuclei, golgi, pair = recipe.pairs.nuclei, recipe.pairs.golgi, recipe.pairs.pair
    return Pairing(index(nuclei), index(golgi), None if pair is None else index(pair), recipe.pairs.farthest)


def say_objects(classes: dict[str, dict[str, Any]]) -> None:
    """Say how many objects of each class were found, and how well."""
    for name, scores in classes.items():
        found = f"{name}: {scores['predicted_objects']} objects for {scores['true_objects']} true ones"
        if not scores["true_objects"]:
            say(found)
            continue
        say(
            f"{found}; AP (COCO) {scores['average_precision_coco']:.4f}, "
            f"AP (DSB 2018) {scores['average_precision_dsb2018']:.4f}, PQ {scores['pq']:.4f}, "
            f"AJI {scores['aji']:.4f}, {scores['splits']} split, {scores['merges']} merged"
        )


def metadata(recipe: Recipe, model: keras.Model) -> Metadata:
    """Say what whoever uses the model must know."""
    objects = recipe.instances or Components()
    return Metadata(
        classes=tuple(recipe.data.classes),
        channels=model.input_shape[-1],
        normalise=preparation.normalisation(recipe),
        resize=recipe.data.resize,
        activation=recipe.model.activation,
        threshold=recipe.evaluate.threshold,
        stride=receptive_field.stride(model),
        exclusive=recipe.data.exclusive,
        radius=receptive_field.radius(model),
        objects=Objects(objects.name, objects.arguments),
        tiling=Tiling(**dict(recipe.predict)),
    )


def export(
    recipe: Recipe,
    model: keras.Model,
    run: RunDirectory,
    folder: Path | None = None,
    *,
    sample: Sample | None = None,
) -> Export:
    """Write the SavedModel that answers for raw images, and say how far it is from the Keras model.

    They are compared on the image of a sample, and on noise where there is none.
    """
    facts = {name: run.read_json(f"{name}.json") for name in ("data", "metrics", "environment")}
    exported = export_saved_model(
        model,
        folder or run / "export",
        metadata(recipe, model),
        name=folder.name if folder else recipe.name,
        facts={**facts, "run": str(run.path)},
        image=sample and sample.read(),
    )
    say(
        f"exported {exported.path}; largest difference from the Keras model {exported.largest_difference:.2g}"
    )
    return exported


def seen_size(recipe: Recipe, model: keras.Model, samples: Sequence[Sample] = ()) -> tuple[int, ...]:
    """Give the sides of what the model sees at once in training; of whole samples, where they are known."""
    data = recipe.data
    if data.patch or data.resize:
        return data.patch.sides(data.rank) if data.patch else data.resize
    size = max((sample.size for sample in samples), key=math.prod, default=ASSUMED_SIZES[data.rank])
    return tuple(map(round_up, size, receptive_field.stride(model)))


def _state(history: History) -> str:
    return "interrupted" if history.stopped == "interrupted" else rundirectory.FINISHED
