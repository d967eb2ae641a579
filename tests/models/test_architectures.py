"""The architectures, their sizes as published or counted by hand, and their growth to volumes."""

import subprocess
import sys
from functools import partial

import keras
import numpy as np
import pytest
from components import DISCRIMINATORS, MODELS

from kerasseg.errors import UserError
from kerasseg.recipe.models import Msdnet, TunableUnet

linknet, unet, vox2vox, resnet = (MODELS[name] for name in ("linknet", "unet", "vox2vox", "resnet"))
PAPER_PARAMETERS = {"unet": 10.15e6, "linknet": 6.09e6}
PEER_PARAMETERS = {"unet": 10_115_501, "linknet": 6_096_333}  # segmentation_models 1.0.1, without gates


@pytest.mark.parametrize("name", PAPER_PARAMETERS)
def test_gates_are_so_thin_that_the_paper_s_size_is_met_within_two_per_cent(name):
    gated = MODELS[name]((None, None, 3), 1, encoder_weights=None)
    assert gated.count_params() == pytest.approx(PAPER_PARAMETERS[name], rel=0.02)


@pytest.mark.parametrize("name", PEER_PARAMETERS)
def test_without_gates_the_size_is_segmentation_models_own(name):
    bare = MODELS[name]((None, None, 3), 1, encoder_weights=None, attention=False)
    assert bare.count_params() == PEER_PARAMETERS[name]


SMALL = {
    "linknet": {"encoder": "plain", "base_filters": 1},
    "unet": {"encoder": "plain", "base_filters": 2, "upsampling": "transpose"},
    "vox2vox": {"base_filters": 2, "residual_blocks": 2},
    "resnet": {"base_filters": 2, "residual_blocks": 2},
    "tunable_unet": TunableUnet(base_filters=2, growth_rate=1.5).arguments,
    "msdnet": Msdnet(layers=3, fast=False).arguments,
    "pspu_skelnet": {"base_filters": 1},
    "classifier": {"encoder": "plain", "base_filters": 2},
}
LEAST = {"pspu_skelnet": 64}  # pixels a side, where the stride is larger than other models'


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shape", [(32, 48, 2), (16, 32, 16, 1)])
def test_one_builder_serves_images_and_volumes(name, shape):
    shape = (*(max(side, LEAST.get(name, 1)) for side in shape[:-1]), shape[-1])
    model = MODELS[name](shape, 2, **SMALL[name])
    probabilities = model(np.random.default_rng(0).random((1, *shape), np.float32))
    assert probabilities.shape == (1, *shape[:-1], 2)
    assert np.min(probabilities) >= 0
    assert np.max(probabilities) <= 1


def test_softmax_probabilities_add_up_to_one():
    model = unet((16, 16, 1), 3, encoder="plain", base_filters=2, activation="softmax")
    probabilities = np.asarray(model(np.ones((1, 16, 16, 1), np.float32)))
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-6)


def test_batchnorm_momentum_reaches_encoder_and_decoder():
    model = linknet((None, None, 3), 1, encoder_weights=None, batchnorm_momentum=0.9)
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(layers) > 40
    assert {layer.momentum for layer in layers} == {0.9}


def test_a_saved_model_answers_alike_where_neither_we_nor_efficientnet_are_imported(tmp_path):
    model = linknet((None, None, 3), 1, encoder_weights=None)
    model.save(tmp_path / "model.keras")
    image = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
    np.save(tmp_path / "image.npy", image)
    script = (
        "import sys; sys.modules['kerasseg'] = sys.modules['efficientnet'] = None\n"
        "import keras, numpy as np\n"
        "model = keras.models.load_model('model.keras', safe_mode=True)\n"
        "np.save('answer.npy', model(np.load('image.npy')))\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "answer.npy"), model(image), atol=1e-6)


NETWORKS = {
    name: partial(MODELS[name], (*(LEAST.get(name, 16),) * 3, 2), 2, **how) for name, how in SMALL.items()
} | {"patchgan": partial(DISCRIMINATORS["patchgan"], [(16, 16, 16, 2)] * 2, base_filters=2)}


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_stay_float32_under_mixed_precision(name):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")  # float16 has no pooling in 3-D on a CPU
    try:
        model = NETWORKS[name]()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert model.output.dtype == "float32"
    assert model.get_layer("head_conv").compute_dtype == "bfloat16"
    images = [np.random.default_rng(0).random((1, *each.shape[1:]), np.float32) for each in model.inputs]
    assert np.isfinite(model(images if len(images) > 1 else images[0])).all()


def test_all_networks_for_volumes_load_where_we_are_not_imported(tmp_path):
    answers = {}
    for name, build in NETWORKS.items():
        model = build()
        model.save(tmp_path / f"{name}.keras")
        images = np.random.default_rng(0).random((2, 1, *model.inputs[0].shape[1:]), np.float32)
        np.save(tmp_path / f"{name}.images.npy", images)
        answers[name] = model(list(images) if len(model.inputs) > 1 else images[0])
    script = (
        "import sys; sys.modules['kerasseg'] = None\n"
        "import keras, numpy as np\n"
        "for name in sys.argv[1:]:\n"
        "    images = np.load(f'{name}.images.npy')\n"
        "    model = keras.saving.load_model(f'{name}.keras', safe_mode=True)\n"
        "    np.save(f'{name}.npy', model(list(images) if len(model.inputs) > 1 else images[0]))\n"
    )
    subprocess.run([sys.executable, "-c", script, *NETWORKS], check=True, cwd=tmp_path)
    for name, answer in answers.items():
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), answer, atol=1e-6, err_msg=name)


def counted(kernel: int, given: int, made: int, extra: int) -> int:
    """Weights of a convolution in 3-D, with `extra` numbers a channel: a bias is one, normalisation four."""
    return kernel**3 * given * made + extra * made


def test_the_u_net_for_volumes_has_the_weights_that_its_paper_s_figure_adds_up_to():
    model = unet(
        (None, None, None, 2),
        3,
        encoder="plain",
        base_filters=8,
        levels=4,
        decoder_filters=None,
        upsampling="transpose",
        attention=False,
    )
    encoder = [(2, 8), (8, 8), (8, 16), (16, 16), (16, 32), (32, 32), (32, 64), (64, 64)]
    decoder = [(64, 32), (32, 32), (32, 16), (16, 16), (16, 8), (8, 8)]  # after skips of as many are joined
    expected = sum(counted(3, *pair, extra=4) for pair in encoder + decoder)
    expected += sum(counted(2, 2 * filters, filters, extra=1) for filters in (32, 16, 8))
    expected += counted(3, 8, 3, extra=1)
    assert model.count_params() == expected


def test_vox2vox_has_the_weights_of_its_convolutions():
    model = vox2vox((None, None, None, 2), 3, base_filters=4, levels=3, residual_blocks=2)
    expected = counted(4, 2, 4, extra=1) + counted(4, 4, 8, extra=2) + counted(4, 8, 16, extra=2)
    expected += counted(4, 16, 16, extra=2) + counted(4, 32, 16, extra=2)  # 48 channels leave
    expected += counted(4, 48, 8, extra=2) + counted(4, 16, 4, extra=2) + counted(4, 8, 3, extra=1)
    assert model.count_params() == expected


def test_cyclegan_s_generator_has_the_size_of_its_authors_own():
    ours = resnet((None, None, 3), 3)
    biases = 64 + 128 + 256 + 18 * 256 + 128 + 64  # which theirs have where normalisation takes them away
    scales = 2 * biases  # which theirs have not
    assert ours.count_params() - scales == 11_378_179 - biases


def test_concatenating_blocks_are_given_ever_more_channels():
    model = resnet((None, None, None, 2), 1, base_filters=2, residual_blocks=3, residual="concatenate")
    given = [model.get_layer(f"residual{block}a_conv").input.shape[-1] for block in range(3)]
    assert given == [8, 16, 24]
    assert model.get_layer("decoder0_conv").input.shape[-1] == 32


def test_cyclegan_s_generator_computes_between_minus_one_and_one_and_answers_from_zero_to_one():
    model = resnet((8, 8, 1), 1, base_filters=2, residual_blocks=1)
    inner = [model.get_layer(name).output for name in ("stem_rescale", "head_tanh")]
    image = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 8, 8, 1)
    seen, tanh = (np.asarray(each) for each in keras.Model(model.input, inner)(image))
    np.testing.assert_allclose(seen, 2 * image - 1, atol=1e-6)
    np.testing.assert_allclose(model(image), (tanh + 1) / 2, atol=1e-6)


@pytest.mark.parametrize("levels", [2, 3, 7])
def test_a_decoder_without_numbers_fits_any_number_of_levels(levels):
    model = unet((None, None, 1), 1, encoder="plain", base_filters=1, levels=levels, decoder_filters=None)
    filters = [model.get_layer(f"decoder{stage}a_conv").filters for stage in range(levels - 1)]
    assert filters == [2**level for level in reversed(range(levels - 1))]


def test_a_decoder_of_too_few_numbers_is_answered_with_how_many_it_takes():
    with pytest.raises(UserError, match=r"2 numbers, \(8, 4\), for 4 stages"):
        unet((None, None, 1), 1, encoder="plain", base_filters=1, decoder_filters=(8, 4))


def test_the_initializer_reaches_every_convolution_and_each_draws_its_own_numbers():
    keras.utils.set_random_seed(0)
    model = unet((None, None, 1), 1, encoder="plain", base_filters=8, levels=3, initializer="normal")
    kernels = [np.asarray(layer.kernel) for layer in model.layers if hasattr(layer, "kernel")]
    assert np.std(np.concatenate([kernel.ravel() for kernel in kernels])) == pytest.approx(0.02, rel=0.05)
    equal = [np.array_equal(a, b) for a in kernels for b in kernels if a is not b and a.shape == b.shape]
    assert equal
    assert not any(equal)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"initializer": "he_norml"}, "did you mean 'he_normal'"),
        ({"upsampling": "bilinear"}, "choose one of repeat, transpose"),
    ],
)
def test_what_is_unknown_is_answered_with_the_choices(changes, message):
    with pytest.raises(UserError, match=message):
        unet((None, None, 1), 1, encoder="plain", base_filters=1, **changes)
