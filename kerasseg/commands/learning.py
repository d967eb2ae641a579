"""How a recipe's model learns: the networks beside it, the engine, and the training."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import keras

from kerasseg import models
from kerasseg.commands import preparation
from kerasseg.data.split import Split
from kerasseg.data.stream import Stream
from kerasseg.models import receptive_field
from kerasseg.recipe import Recipe
from kerasseg.training import losses
from kerasseg.training.engines import ENGINES
from kerasseg.training.history import History
from kerasseg.training.loop import Pace, train
from kerasseg.training.optimizers import OPTIMIZERS
from kerasseg.training.samples import Samples
from kerasseg.training.schedule import SCHEDULES

NETWORKS = {"discriminator", "optimizer"}  # keys of an engine that are built; the others are numbers


def learn(recipe: Recipe, model: keras.Model, parts: Split, folder: Path, resume: bool) -> History:
    """Train the model on the split's parts, and leave it with the weights of its best epoch."""
    unpaired = recipe.train.engine.name == "cycle"
    batches = preparation.unpaired if unpaired else preparation.streams
    training, validation = batches(recipe, parts, model.input_shape[-1], receptive_field.stride(model))
    with model.distribute_strategy.scope():
        engine = build(recipe, model, training)
    watching = [Samples(validation, folder / "samples")] if unpaired else []
    arguments = {"directory": folder, "seed": recipe.seed, "resume": resume, "watching": watching}
    history = train(engine, training, validation, pace(recipe), **arguments)
    if not history.rows:
        raise KeyboardInterrupt  # before there was anything to go on with
    return history


def build(recipe: Recipe, model: keras.Model, training: Stream) -> keras.Model:
    """Put the model, and the networks that it learns with, into the recipe's engine."""
    name = recipe.train.engine.name
    arguments = {
        "loss": losses.LOSSES[recipe.loss.name](**recipe.loss.arguments),
        "optimizer": _optimizer(recipe.train.optimizer),
        "threshold": recipe.evaluate.threshold,
        "activation": recipe.model.activation,
        **_numbers(recipe),
    }
    if name == "supervised":
        return ENGINES[name](model, **arguments)
    arguments["discriminator_optimizer"] = _optimizer(recipe.train.engine.optimizer)
    images, masks = model.input_shape[1:], model.output_shape[1:]
    if name == "adversarial":
        return ENGINES[name](model, _discriminator(recipe, images, masks), **arguments)
    networks = (back(recipe, model), _discriminator(recipe, masks), _discriminator(recipe, images))
    batches = {"shape": training.shape, "batch_size": training.batch_size}
    return ENGINES[name](model, *networks, **batches, **arguments)


def back(recipe: Recipe, model: keras.Model) -> keras.Model:
    """Build the model's counterpart, from masks to images: the same architecture, its channels exchanged."""
    told = recipe.model.arguments
    sigmoid = {"activation": "sigmoid"} if "activation" in told else {}
    channels = model.input_shape[-1]
    shape = (*model.input_shape[1:-1], model.output_shape[-1])
    return models.MODELS[recipe.model.name](shape, channels, **told | sigmoid, name="back")


def pace(recipe: Recipe) -> Pace:
    """How long the recipe's training goes on, and how fast."""
    how = recipe.train
    return Pace(
        epochs=how.epochs,
        steps_per_epoch=how.steps_per_epoch,
        early_stopping=how.early_stopping and dict(how.early_stopping),
        schedule=how.schedule and partial(SCHEDULES[how.schedule.name], **how.schedule.arguments),
    )


def _optimizer(section) -> keras.optimizers.Optimizer:
    return OPTIMIZERS[section.name](**section.arguments)


def _discriminator(recipe: Recipe, *shapes: tuple[int | None, ...]) -> keras.Model:
    section = recipe.train.engine.discriminator
    return models.DISCRIMINATORS[section.name](shapes, **section.arguments)


def _numbers(recipe: Recipe) -> dict[str, object]:
    return {key: value for key, value in recipe.train.engine.arguments.items() if key not in NETWORKS}
