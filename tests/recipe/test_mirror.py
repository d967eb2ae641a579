"""The recipe's sections say what the builders take: the same names, defaults and choices."""

import inspect
from typing import get_args

import pytest

from kerasseg import losses, models, postprocess
from kerasseg.data import sources, split
from kerasseg.images.normalise import NORMALISATIONS
from kerasseg.labelling.embedding.embed import EMBEDDINGS
from kerasseg.labelling.segment_anything.automatic import automatic_masks
from kerasseg.labelling.segment_anything.proposals import proposer
from kerasseg.labelling.select import POLICIES
from kerasseg.labelling.tiles import crop
from kerasseg.models import blocks, encoders, receptive_field, translation
from kerasseg.models.unet import UPSAMPLINGS
from kerasseg.postprocess.pairs import pairs
from kerasseg.prediction import merge, padding, symmetries
from kerasseg.prediction.predict import predicted_bands
from kerasseg.recipe import data as data_sections
from kerasseg.recipe.instances import AnyInstances, Pairs
from kerasseg.recipe.labelling import AnyEmbedding, Label, SegmentAnything, Select
from kerasseg.recipe.losses import AnyLoss
from kerasseg.recipe.models import AnyDiscriminator, AnyModel, Encoder, Initializer, Patchgan, Resnet, Unet
from kerasseg.recipe.normalisations import AnyNormalisation
from kerasseg.recipe.recipe import Predict
from kerasseg.recipe.section import Component, Section
from kerasseg.recipe.sources import AnySource
from kerasseg.recipe.train import AnyEngine, AnyOptimizer, AnySchedule, Cycle, EarlyStopping, Train
from kerasseg.training import cycle, devices, schedule
from kerasseg.training.engines import ENGINES
from kerasseg.training.optimizers import OPTIMIZERS


def components(annotation) -> dict[str, type[Component]]:
    union = get_args(annotation)[0]
    members = get_args(union) or (annotation,)  # a union of one is that one
    return {get_args(member)[0].name: get_args(member)[0] for member in members}


def defaults_of(section: type[Section]) -> dict:
    fields = section.model_fields.items()
    return {name: inspect.Parameter.empty if field.is_required() else field.default for name, field in fields}


def parameters(function, leave: tuple[str, ...] = ()) -> dict:
    found = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in found if each.name not in leave}


def choices(section: type[Section], key: str) -> set:
    return set(get_args(section.model_fields[key].annotation))


REQUIRED = inspect.Parameter.empty

FAMILIES = {
    "model": (AnyModel, models.MODELS, ("input_shape", "classes", "name")),
    "discriminator": (AnyDiscriminator, models.DISCRIMINATORS, ("input_shapes", "name")),
    "loss": (AnyLoss, losses.LOSSES, ()),
    "normalisation": (AnyNormalisation, NORMALISATIONS, ()),
    "instances": (AnyInstances, postprocess.INSTANCES, ("mask",)),
    "schedule": (AnySchedule, schedule.SCHEDULES, ("losses", "initial", "epochs")),
    "source": (AnySource, sources.SOURCES, ("classes",)),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_components_are_the_builders_with_their_arguments(family):
    annotation, builders, leave = FAMILIES[family]
    sections = components(annotation)
    assert set(sections) == set(builders)
    for name, builder in builders.items():
        assert defaults_of(sections[name]) == parameters(builder, leave), name


@pytest.mark.parametrize(
    ("name", "small"),
    [
        ("linknet", {"encoder": "plain", "levels": 3, "base_filters": 4}),
        ("unet", {"encoder": "plain", "levels": 2, "base_filters": 4}),
        ("vox2vox", {"levels": 3, "residual_blocks": 1, "base_filters": 4}),
        ("resnet", {"residual_blocks": 1, "base_filters": 4}),
        ("tunable_unet", {"levels": 3, "base_filters": 4}),
        ("msdnet", {"layers": 2}),
    ],
)
def test_models_have_the_stride_that_their_sections_say(name, small):
    section = components(AnyModel)[name](**small)
    model = models.MODELS[name]((None, None, 1), 1, **section.arguments)
    assert receptive_field.stride(model) == (section.stride,) * 2


def test_optimizers_take_keras_arguments_with_keras_defaults():
    sections = components(AnyOptimizer)
    assert set(sections) == set(OPTIMIZERS)
    for name, optimizer in OPTIMIZERS.items():
        assert defaults_of(sections[name]).items() <= parameters(optimizer).items(), name


def test_engines_take_the_numbers_of_their_sections():
    sections = components(AnyEngine)
    assert set(sections) == set(ENGINES)
    built = {"discriminator", "optimizer", "loss", "threshold", "activation", "shape", "batch_size"}
    for name, engine in ENGINES.items():
        told = {key: value for key, value in defaults_of(sections[name]).items() if key not in built}
        taken = {key: value for key, value in parameters(engine, built).items() if value is not REQUIRED}
        assert told == taken, name


@pytest.mark.parametrize(
    ("section", "function", "leave"),
    [
        (data_sections.Split, split.split, ("samples", "seed")),
        (EarlyStopping, schedule.stop, ("losses",)),
        (Predict, predicted_bands, ("image", "forward", "batch_size", "multiple_of", "done", "answering")),
    ],
)
def test_sections_are_keyword_arguments(section, function, leave):
    assert defaults_of(section) == parameters(function, leave)


def test_embeddings_take_what_their_sections_say():
    sections = components(AnyEmbedding)
    assert set(sections) == set(EMBEDDINGS)
    for name, embedding in EMBEDDINGS.items():
        assert defaults_of(sections[name]) == parameters(embedding, ("pixels", "seed")), name


def test_segment_anything_takes_what_its_section_says():
    told = defaults_of(SegmentAnything)
    named = parameters(proposer, ("network", "label", "tolerance", "settings"))
    assert told == {"preset": "sam_base_sa1b", **named, **parameters(automatic_masks, ("image", "network"))}


def test_slides_are_cut_as_the_section_says():
    told = defaults_of(Label)
    assert parameters(crop, ("slide", "root")).items() <= told.items()


def test_pairs_are_as_far_apart_as_their_builder_lets_them():
    assert Pairs().farthest == parameters(pairs)["farthest"]


def test_choices_are_those_of_the_dicts():
    assert set(get_args(Encoder)) == set(encoders.ENCODERS)
    assert choices(Select, "policy") == set(POLICIES)
    assert set(get_args(Initializer)) == set(blocks.INITIALIZERS)
    assert choices(Unet, "upsampling") == set(UPSAMPLINGS)
    assert choices(Resnet, "residual") == set(translation.RESIDUALS)
    assert choices(Patchgan, "normalisation") == set(translation.NORMALISATIONS)
    assert choices(Predict, "blend") == set(merge.BLENDS)
    assert choices(Predict, "padding") == set(padding.PADDINGS)
    assert choices(Predict, "symmetries") == set(symmetries.SYMMETRIES)
    assert choices(Train, "precision") == set(devices.PRECISIONS)
    assert choices(Cycle, "choose_by") == set(cycle.CRITERIA)
    assert choices(Train, "devices") == set(devices.DEVICES)
