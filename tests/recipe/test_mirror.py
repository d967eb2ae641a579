"""The recipe's sections name functions and the arguments that these take; choices are those of the code."""

import inspect
from typing import get_args

import pytest
from components import MODELS, sections

from kerasseg.data import split
from kerasseg.data.key_points import TARGETS
from kerasseg.images import padding
from kerasseg.inference import blending, tta
from kerasseg.labelling.embedding import METHODS
from kerasseg.labelling.embedding_networks import NETWORKS
from kerasseg.labelling.segment_anything.automatic import SamSettings
from kerasseg.labelling.selection import POLICIES
from kerasseg.labelling.sliding_window import SlidingWindow
from kerasseg.models import blocks, encoders, receptive_field, translation
from kerasseg.models.unet import UPSAMPLINGS
from kerasseg.recipe import data as data_sections
from kerasseg.recipe.data import AnyNormalisation
from kerasseg.recipe.key_points import AnyKernel, KeyPoints
from kerasseg.recipe.labelling import AnyEmbedding, Label, SegmentAnything, Select
from kerasseg.recipe.models import AnyDiscriminator, AnyModel, Encoder, Initializer, Patchgan, Resnet, Unet
from kerasseg.recipe.recipe import AnyInstances, Predict
from kerasseg.recipe.section import Section
from kerasseg.recipe.sources import AnySource
from kerasseg.recipe.train import (
    AnyEngine,
    AnyLoss,
    AnyOptimizer,
    AnySchedule,
    Cycle,
    EarlyStopping,
    Guided,
    Train,
)
from kerasseg.spec import TilingSettings
from kerasseg.training import cycle, devices, schedule
from kerasseg.training.losses import SIMILARITIES

ENGINE = {"generator", "model", "to_masks", "to_images", "loss", "optimizer", "threshold", "activation"}
GIVEN = {
    AnyModel: {"input_shape", "classes", "name"},
    AnyDiscriminator: {"input_shapes", "name"},
    AnyLoss: set(),
    AnyNormalisation: set(),
    AnyInstances: {"mask", "landscape"},
    AnySchedule: {"losses", "initial", "epochs"},
    AnySource: {"classes"},
    AnyEngine: ENGINE | {"shape", "batch_size", "kernel", "points", "steps", "landscape"},
    AnyKernel: set(),
}
"""What the program itself gives to the functions of each kind."""

COMPONENTS = [
    pytest.param(section, given, id=f"{section.__name__}-{name}")
    for annotation, given in GIVEN.items()
    for name, section in sections(annotation).items()
]


def parameters(function) -> dict[str, inspect.Parameter]:
    taken = dict(inspect.signature(function).parameters)
    if "encoder_arguments" in taken:  # which go on to what builds encoders
        del taken["encoder_arguments"]
        taken |= inspect.signature(encoders.encode).parameters
    return taken


def choices(section: type[Section], key: str) -> set:
    return set(get_args(section.model_fields[key].annotation))


@pytest.mark.parametrize(("section", "given"), COMPONENTS)
def test_components_have_the_arguments_of_their_functions(section, given):
    assert set(section.model_fields) == set(parameters(section.function())) - given


@pytest.mark.parametrize("kind", [AnyModel, AnyDiscriminator, AnyLoss, AnySchedule, AnyEngine])
def test_defaults_stand_in_the_sections_and_nowhere_else(kind):
    for section in sections(kind).values():
        taken = parameters(section.function())
        for name in section.model_fields:
            assert taken[name].default is inspect.Parameter.empty, (section.name, name)
            assert taken[name].kind is inspect.Parameter.KEYWORD_ONLY, (section.name, name)


@pytest.mark.parametrize("name", sections(AnyOptimizer))
def test_optimizers_take_the_arguments_of_their_sections(name):
    section = sections(AnyOptimizer)[name]
    assert set(section.model_fields) <= set(parameters(section.function()))


@pytest.mark.parametrize(
    ("name", "small"),
    [
        ("linknet", {"encoder": "plain", "levels": 3, "base_filters": 4}),
        ("unet", {"encoder": "plain", "levels": 2, "base_filters": 4}),
        ("vox2vox", {"levels": 3, "residual_blocks": 1, "base_filters": 4}),
        ("resnet", {"residual_blocks": 1, "base_filters": 4}),
        ("tunable_unet", {"levels": 3, "base_filters": 4}),
        ("msdnet", {"layers": 2}),
        ("pspu_skelnet", {"base_filters": 1}),
        ("classifier", {"encoder": "plain", "levels": 2, "base_filters": 4}),
    ],
)
def test_models_have_the_stride_that_their_sections_say(name, small):
    section = sections(AnyModel)[name](**small)
    assert receptive_field.stride(section.build((None, None, 1), 1)) == (section.stride,) * 2
    assert len(MODELS) == 8, "a new model belongs into the list above"


@pytest.mark.parametrize(
    ("section", "function", "given"),
    [
        (data_sections.Split, split.split, {"samples", "seed"}),
        (EarlyStopping, schedule.stop, {"losses"}),
        (Predict, TilingSettings, set()),
    ],
)
def test_sections_are_keyword_arguments(section, function, given):
    assert set(section.model_fields) == set(parameters(function)) - given


def test_embeddings_take_what_their_sections_say():
    embeddings = sections(AnyEmbedding)
    assert set(embeddings) == set(METHODS)
    for name, network in NETWORKS.items():
        assert set(embeddings[name].model_fields) == set(parameters(network)) - {"pixels", "seed"}, name


def test_segment_anything_takes_what_its_section_says():
    assert set(SegmentAnything.model_fields) == {"preset", *SamSettings.__annotations__}


def test_slides_are_cut_as_the_section_says():
    assert set(Label(slide="a.tif").window) == set(parameters(SlidingWindow)) - {"size"}


def test_choices_are_those_of_the_code():
    assert choices(Select, "policy") == set(POLICIES)
    assert set(get_args(Initializer)) == set(blocks.INITIALIZERS)
    assert set(get_args(Encoder)) == set(encoders.ENCODERS)
    assert choices(Unet, "upsampling") == set(UPSAMPLINGS)
    assert choices(Resnet, "residual") == set(translation.RESIDUALS)
    assert choices(Patchgan, "normalisation") == set(translation.NORMALISATIONS)
    assert choices(Predict, "blend") == set(blending.BLENDS)
    assert choices(Predict, "padding") == set(padding.PADDINGS)
    assert choices(Predict, "tta") == set(tta.SYMMETRIES)
    assert choices(Train, "precision") == set(devices.PRECISIONS)
    assert choices(KeyPoints, "target") == set(TARGETS)
    assert choices(Guided, "ssim") == set(SIMILARITIES)
    assert choices(Cycle, "choose_by") == set(cycle.CRITERIA)
    assert choices(Train, "devices") == set(devices.DEVICES)
