"""What a recipe names, built: the network, its specification, and the engine by which it learns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import keras

from kerasseg.commands import preparation
from kerasseg.data.batches import TrainingBatches
from kerasseg.data.sample import Sample
from kerasseg.data.split import Split
from kerasseg.data.survey import Contents
from kerasseg.images.appearance import Appearance
from kerasseg.images.histogram_matching import Matching
from kerasseg.inference.backends import Backend
from kerasseg.inference.forward import forward
from kerasseg.inference.tiling import round_up
from kerasseg.models import receptive_field
from kerasseg.models.saved import fingerprint
from kerasseg.models.transfer import encoder_layers
from kerasseg.postprocess.pairs import Pairing
from kerasseg.recipe import Recipe
from kerasseg.recipe.recipe import Components
from kerasseg.runs.rundirectory import SAMPLES
from kerasseg.segmenter import Segmenter
from kerasseg.spec import ModelSpec, Objects, TilingSettings
from kerasseg.training.callbacks import SampleImages
from kerasseg.training.encoder import EncoderRate
from kerasseg.training.history import History
from kerasseg.training.loop import TrainingSettings, train

ASSUMED_SIZES = {2: (256, 256), 3: (64, 64, 64)}  # of images and volumes that nobody has opened


def network(recipe: Recipe, channels: int) -> keras.Model:
    """Build the recipe's model for images or volumes of any size.

    Where training goes on from another model, its encoder gets no other weights before, and what its batch
    normalisation does is as if it had.
    """
    outputs = len(recipe.data.classes) + (recipe.model.activation == "softmax") + recipe.by_landscape
    shape = (*(None,) * recipe.data.rank, channels)
    if not recipe.train.start_from:
        return recipe.model.build(shape, outputs)
    model = without_pretrained(recipe).model.build(shape, outputs)
    if recipe.model.is_pretrained and recipe.model.freeze_batchnorm:
        for layer in encoder_layers(model):
            layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    return model


def without_pretrained(recipe: Recipe) -> Recipe:
    """Leave out an encoder's weights, which take a download, where its own are of no interest."""
    if "encoder_weights" not in recipe.model.arguments:
        return recipe
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"encoder_weights": None})})


def model_spec(
    recipe: Recipe,
    model: keras.Model,
    match: Matching | None = None,
    learnt_from: Contents | None = None,
) -> ModelSpec:
    """Say what whoever uses the model must know.

    Parameters
    ----------
    recipe : Recipe
    model : keras.Model
    match : Matching, optional
        What `preparation.matching` counted.
    learnt_from : Contents, optional
        What the training images hold, which gives the model its scale, unless it looks at all images in one
        size.
    """
    scale = learnt_from if recipe.data.resize is None else None
    objects = recipe.instances or Components()
    return ModelSpec(
        classes=tuple(recipe.data.classes),
        multilabel=recipe.data.multilabel,
        activation=recipe.model.activation,
        threshold=recipe.evaluate.threshold,
        channels=model.input_shape[-1] - len(recipe.data.sees),
        normalise=preparation.normalisation(recipe),
        resize=recipe.data.resize,
        stride=receptive_field.stride(model),
        receptive_radius=receptive_field.radius(model),
        objects=Objects(objects.name, objects.by_ids(recipe.data.classes)),
        tiling=TilingSettings(**dict(recipe.predict)),
        weights=fingerprint(model),
        beside=len(recipe.data.sees),
        match=match,
        diameter=scale and scale.diameter,
        pixel_size=scale and scale.pixel_size,
    )


def segmenter(
    recipe: Recipe,
    model: keras.Model,
    match: Matching | None = None,
    learnt_from: Contents | None = None,
) -> Segmenter:
    """Put the model together with what the recipe and its data say about its input and its output."""
    return Segmenter(model_spec(recipe, model, match, learnt_from), Backend(forward(model)))


def seen_size(recipe: Recipe, stride: Sequence[int], samples: Sequence[Sample] = ()) -> tuple[int, ...]:
    """Give the sides of what the model sees at once in training; of whole samples, where they are known."""
    data = recipe.data
    if data.patch or data.resize:
        return data.patch.sides(data.rank) if data.patch else data.resize
    size = max((sample.size for sample in samples), key=math.prod, default=ASSUMED_SIZES[data.rank])
    return tuple(map(round_up, size, stride))


def pairing(recipe: Recipe) -> Pairing | None:
    """Say which classes' objects are pairs, if the recipe asks for them."""
    if recipe.pairs is None:
        return None
    index = recipe.data.classes.index
    nuclei, golgi, pair = recipe.pairs.nuclei, recipe.pairs.golgi, recipe.pairs.pair
    return Pairing(index(nuclei), index(golgi), None if pair is None else index(pair), recipe.pairs.farthest)


def learn(
    recipe: Recipe,
    model: keras.Model,
    parts: Split,
    folder: Path,
    *,
    match: Matching | None = None,
    resume: bool,
) -> tuple[History, Appearance]:
    """Train the model on the split's parts, and leave it with the weights of its best epoch.

    Returns
    -------
    history : History
    appearance : Appearance
        Of the patches that it was shown.
    """
    unpaired = recipe.train.engine.name == "cycle"
    batches = preparation.unpaired if unpaired else preparation.streams
    channels, stride = model.input_shape[-1], receptive_field.stride(model)
    training, validation = batches(recipe, parts, channels, stride, match)
    for stream in (training, validation):
        stream.look_through()
    with model.distribute_strategy.scope():
        engine = training_engine(recipe, model, training)
        watching = encoder_rate(recipe, engine, model)
    watching += [SampleImages(validation, folder / SAMPLES)] if unpaired else []
    arguments = {"directory": folder, "seed": recipe.seed, "resume": resume, "watching": watching}
    history = train(engine, training, validation, training_settings(recipe), **arguments)
    if not history.rows:
        raise KeyboardInterrupt  # before there was anything to go on with
    return history, preparation.appearance(recipe, training)


def training_engine(recipe: Recipe, model: keras.Model, training: TrainingBatches) -> keras.Model:
    """Put the model, and the networks that it learns with, into the recipe's engine."""
    engine = recipe.train.engine
    common = {
        "loss": recipe.loss.build(),
        "optimizer": recipe.train.optimizer.build(),
        "threshold": recipe.evaluate.threshold,
        "activation": recipe.model.activation,
    }
    if engine.name == "supervised":
        return engine.build(model, landscape=recipe.by_landscape, **common)
    if engine.name == "guided":
        points, steps = recipe.key_points, recipe.train.steps_per_epoch or len(training)
        rebuilding = {"kernel": points.kernel.build().values, "points": points.budget}
        return engine.build(model, **rebuilding, steps=steps, **common)
    common["discriminator"] = engine.discriminator.build
    common["discriminator_optimizer"] = engine.discriminator_optimizer.build()
    if engine.name == "adversarial":
        return engine.build(model, **common)
    batches = {"shape": training.shape, "batch_size": training.batch_size}
    return engine.build(model, back(recipe, model), **batches, **common)


def encoder_rate(recipe: Recipe, engine: keras.Model, model: keras.Model) -> list[keras.callbacks.Callback]:
    """Make what freezes and slows down the encoder, if the recipe asks for that, under the devices' scope."""
    settings = recipe.train.encoder
    return [EncoderRate(engine, model, **dict(settings))] if settings else []


def back(recipe: Recipe, model: keras.Model) -> keras.Model:
    """Build the model's counterpart, from masks to images: the same architecture, its channels exchanged."""
    shape = (*model.input_shape[1:-1], model.output_shape[-1])
    sigmoid = {"activation": "sigmoid"} if "activation" in recipe.model.arguments else {}
    return recipe.model.build(shape, model.input_shape[-1], **sigmoid, name="back")


def training_settings(recipe: Recipe) -> TrainingSettings:
    """How long the recipe's training goes on, and how fast."""
    settings = recipe.train
    return TrainingSettings(
        epochs=settings.epochs,
        steps_per_epoch=settings.steps_per_epoch,
        early_stopping=settings.early_stopping and dict(settings.early_stopping),
        schedule=settings.schedule and settings.schedule.build,
    )
