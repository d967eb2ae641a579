"""The overlap that a model needs, or a stated one where nothing is enough."""

from dataclasses import replace

import pytest
from specs import spec, tiling

from kerasseg.errors import UserError
from kerasseg.inference.overlap import overlap, resolve_overlap


def test_a_number_stands(capsys):
    assert overlap(7, (108, 108), 64, 32) == 7
    assert not capsys.readouterr().out


def test_auto_is_as_far_as_the_model_sees(capsys):
    assert overlap("auto", (93, 108), 500, 32) == 108
    assert "each pixel is computed up to 3.2 times" in capsys.readouterr().out  # (512 / 288) ** 2


def test_where_a_model_sees_everything_an_eighth_of_the_tile_is_taken_and_said(capsys):
    assert overlap("auto", None, 256, 32) == 32
    assert "never quite equal the whole image" in capsys.readouterr().out


@pytest.mark.parametrize(("tile", "enough"), [(224, False), (256, True)])
def test_a_tile_that_is_too_small_is_told_how_large_it_must_be(tile, enough):
    if enough:
        assert overlap("auto", (108, 108), tile, 32) == 108
    else:
        with pytest.raises(UserError, match="a tile of at least 256, or an overlap"):
            overlap("auto", (108, 108), tile, 32)


@pytest.mark.parametrize("stride", [(32, 32), (8, 32, 16)])
def test_settings_of_tiles_get_a_number_for_the_overlap(stride):
    auto = tiling(tile=256, overlap="auto")
    model = spec(tiling=auto, receptive_radius=(40,) * len(stride), stride=stride)
    assert resolve_overlap(model) == replace(auto, overlap=40)


def test_a_tile_that_its_overlap_leaves_nothing_of_is_refused_before_any_image_is_opened():
    with pytest.raises(
        UserError, match=r"predict\.overlap 32 is per side and leaves too little of predict\.tile 7"
    ):
        resolve_overlap(spec(tiling=tiling(tile=7, overlap=32)))
