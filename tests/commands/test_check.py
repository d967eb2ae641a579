"""What a run is said to take is what the model that it builds takes, roughly."""

import math

import pytest

from kerasseg.commands import check
from kerasseg.models import MODELS, summary
from kerasseg.recipe.models import Linknet, Resnet, Unet, Vox2vox

ROUGHLY = 0.3


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize(
    "section",
    [
        Linknet(encoder="plain", base_filters=8),
        Unet(encoder="plain", base_filters=8, decoder_filters=None),
        Vox2vox(base_filters=8),
        Resnet(base_filters=8),
    ],
    ids=lambda section: section.name,
)
def test_estimates_are_near_what_the_model_takes(section, rank):
    model = MODELS[section.name]((*(None,) * rank, 2), 2, **section.arguments)
    size = (64,) * rank
    outputs = summary.memory(model, size, batch=1).activations / math.prod(size)
    assert check._bytes_per_pixel(section, rank) == pytest.approx(outputs, rel=ROUGHLY)
    assert check._parameters(section, rank) == pytest.approx(model.count_params(), rel=ROUGHLY)
