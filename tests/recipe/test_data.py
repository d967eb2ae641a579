"""How a recipe says how intensities come into [0, 1]."""

import pytest

from kerasseg.commands import preparation
from kerasseg.errors import UserError
from kerasseg.images.normalisation import Dtype, Minmax, Percentile
from kerasseg.recipe import load

RECIPE = """\
name: cells
data:
  source: {{labelme: {{root: drawn}}}}
  classes: [cell]
  normalise: {normalise}
model: unet
"""


def loaded(folder, normalise, *overrides):
    path = folder / "cells.yaml"
    path.write_text(RECIPE.format(normalise=normalise))
    return load(path, overrides)


@pytest.mark.parametrize(
    ("written", "made"),
    [
        ("dtype", Dtype()),
        ("minmax", Minmax()),
        ("percentile", Percentile(1, 99.8)),
        ("{percentile: {low: 5, high: 98}}", Percentile(5, 98)),
    ],
)
def test_a_normalisation_is_a_name_and_its_arguments(tmp_path, written, made):
    assert preparation.normalisation(loaded(tmp_path, written)) == made


def test_it_can_be_set_from_the_command_line(tmp_path):
    recipe = loaded(tmp_path, "percentile", "data.normalise.percentile.low=5")
    assert preparation.normalisation(recipe) == Percentile(5, 99.8)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("percentil", r"data\.normalise: .*did you mean 'percentile'"),
        (
            "{percentile: {low: 98, high: 5}}",
            r"data\.normalise\.percentile: low is 98 and high is 5; low must",
        ),
        ("{percentile: {low: 99.8}}", r"data\.normalise\.percentile: low is 99\.8 and high is 99\.8"),
        ("{percentile: {low: -1}}", r"percentile\.low: must be greater than or equal to 0, got -1"),
        ("{percentile: {high: 101}}", r"percentile\.high: must be less than or equal to 100, got 101"),
        ("{minmax: {low: 1}}", r"minmax\.low: low belongs to percentile, and not to minmax"),
    ],
)
def test_mistakes_name_their_key(tmp_path, written, words):
    with pytest.raises(UserError, match=words) as raised:
        loaded(tmp_path, written)
    assert len(raised.value.messages) == 1
    assert raised.value.messages[0].startswith(f"{tmp_path / 'cells.yaml'}:5: ")
