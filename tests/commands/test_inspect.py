"""What `inspect` prints of a recipe's model."""

import pytest

from kerasseg.commands.inspect import inspect
from kerasseg.errors import UserError
from kerasseg.recipe import load


def test_blocks_and_parameters_of_a_shipped_recipe(capsys):
    inspect(load("sartorius_linknet", ["data.resize=[64, 64]"]))
    said = capsys.readouterr().out
    assert "6,152,273 parameters" in said
    assert "gate0" in said


def test_a_network_without_an_encoder_is_inspected_too(capsys):
    model = "model={resnet: {base_filters: 2, residual_blocks: 1}}"
    inspect(load("sartorius_linknet", [model, "data.resize=[32, 32]"]))
    said = capsys.readouterr().out
    assert "resnet at 32x32" in said
    assert "residual0" in said


def test_volumes_without_patches_are_not_measured_at_the_size_of_an_image_s_tile(capsys):
    model = "model={unet: {encoder: plain, base_filters: 2, levels: 2, attention: false}}"
    inspect(load("golgi_unet3d", [model, "data.patch=null", "data.augment=[]"]))
    assert "unet at 64x64x64" in capsys.readouterr().out


def test_a_path_without_a_model_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"recipe\.yaml"):
        inspect(tmp_path)
