"""The mixed-scale dense network as published: its size, its wiring, its beginning, and dlsia's as judge."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import kerasseg
from kerasseg.errors import UserError
from kerasseg.models import receptive_field, summary
from kerasseg.models.mixed_scale_dense import MixedScaleDense
from kerasseg.models.msdnet import mixed_dilations, msdnet
from kerasseg.recipe.models import Msdnet

FORMS = pytest.mark.parametrize("fast", [True, False])


def build(shape, classes=4, **changes):
    return msdnet(shape, classes, **Msdnet(**changes).arguments)


@FORMS
@pytest.mark.parametrize(
    ("channels", "layers", "max_dilation", "parameters"),
    [(1, 40, 15, 7_588), (1, 100, 10, 45_958), (3, 40, 15, 8_316), (3, 100, 10, 47_766)],
)
def test_it_has_the_published_parameters_to_the_last_one(channels, layers, max_dilation, parameters, fast):
    model = build((None, None, channels), layers=layers, max_dilation=max_dilation, fast=fast)
    assert model.count_params() == parameters


def test_dilations_go_round_map_after_map():
    assert mixed_dilations(layers=5, cycle=(1, 2, 3), width=1) == [[1], [2], [3], [1], [2]]
    assert mixed_dilations(layers=3, cycle=(1, 2, 3, 4), width=2) == [[1, 2], [3, 4], [1, 2]]


def test_dilations_may_be_chosen_and_change_no_count():
    powers = build((None, None, 1), layers=40, dilations=(1, 2, 4, 8))
    assert powers.count_params() == 7_588
    assert receptive_field.radius(powers) == (10 * (1 + 2 + 4 + 8),) * 2
    written_out = build((None, None, 1), layers=40, dilations=(1, 2, 4, 8), fast=False)
    assert receptive_field.radius(written_out) == (150, 150)


def test_chosen_dilations_are_those_of_the_largest_one_where_they_are_the_same():
    chosen = build((None, None, 1), layers=5, width=2, dilations=(1, 2, 3))
    by_largest = build((None, None, 1), layers=5, width=2, max_dilation=3)
    layers = [model.get_layer("mixed_scale_dense").dilations for model in (chosen, by_largest)]
    assert layers[0] == layers[1]


@FORMS
def test_it_begins_as_published(fast):
    keras.utils.set_random_seed(0)
    model = build((None, None, 1), layers=40, fast=fast)
    *kernels, head = (weight for weight in model.get_weights() if weight.ndim == 4)
    drawn = np.concatenate([kernel.ravel() for kernel in kernels])
    assert np.std(drawn) == pytest.approx(np.sqrt(2 / (9 * (1 + 39) + 4)), rel=0.02)
    assert len(np.unique(drawn)) > 0.99 * len(drawn)
    assert not head.any()
    assert not any(weight.any() for weight in model.get_weights() if weight.ndim == 1)


@FORMS
def test_the_first_loss_is_the_logarithm_of_the_number_of_classes(fast):
    model = build((None, None, 1), layers=5, activation="softmax", fast=fast)
    image = np.random.default_rng(0).random((1, 12, 13, 1), np.float32)
    truth = np.random.default_rng(1).integers(0, 4, (1, 12, 13))
    loss = keras.losses.SparseCategoricalCrossentropy()(truth, model(image))
    assert float(loss) == pytest.approx(np.log(4), rel=1e-6)


@FORMS
@pytest.mark.parametrize("padding", ["reflect", "symmetric", "zeros"])
@pytest.mark.parametrize("width", [1, 2])
def test_it_sees_as_far_as_all_dilations_together(padding, width, fast):
    model = build((None, None, None, 1), layers=4, max_dilation=3, width=width, padding=padding, fast=fast)
    expected = {1: 1 + 2 + 3 + 1, 2: 2 + 3 + 3 + 2}[width]
    assert receptive_field.radius(model) == (expected,) * 3
    assert receptive_field.stride(model) == (1, 1, 1)


def test_its_cost_is_counted_alike_in_both_forms():
    fast, slow = (build((None, None, 2), layers=6, max_dilation=4, fast=fast) for fast in (True, False))
    assert summary.flops(fast, (20, 30)) == summary.flops(slow, (20, 30))


def test_what_a_training_step_holds_is_estimated_as_it_was_measured():
    """A side of 512 pixels instead of 256 takes some 0.19 GB more in tools/bench/msdnet.py."""
    model = build((None, None, 1), layers=40, max_dilation=15)
    assert summary.memory(model, (512, 512), 1).activations / 512**2 == pytest.approx(1000, rel=0.25)


def test_an_unknown_padding_is_answered_with_the_choices():
    with pytest.raises(UserError, match="did you mean 'reflect'"):
        msdnet((None, None, 1), 1, **Msdnet().arguments | {"padding": "reflct"})


def test_a_saved_model_answers_alike_in_a_process_that_only_loads_it(tmp_path):
    model = build((None, None, 1), layers=6, max_dilation=4)
    model.set_weights([np.random.default_rng(0).normal(0, 0.3, each.shape) for each in model.get_weights()])
    image = np.random.default_rng(0).random((1, 20, 31, 1), np.float32)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "image.npy", image)
    script = (
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from kerasseg.models.saved import load_model\n"
        "np.save('answer.npy', load_model(Path('model.keras'))(np.load('image.npy')))\n"
    )
    root = {"PYTHONPATH": str(Path(kerasseg.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, env=root)
    np.testing.assert_array_equal(np.load(tmp_path / "answer.npy"), model(image))


@pytest.mark.parametrize(("width", "cycle"), [(1, (1, 2, 3, 4, 5)), (2, (1, 2, 3, 4, 5)), (1, (8, 4, 2, 1))])
def test_it_is_dlsia_s_network_without_normalisation(width, cycle):
    reason = "dlsia is not installed: pip install dlsia torch"
    dlsia = pytest.importorskip("dlsia.core.networks.msdnet", reason=reason, exc_type=ImportError)
    torch = pytest.importorskip("torch", reason=reason)
    theirs = dlsia.MixedScaleDenseNetwork(
        2,
        3,
        num_layers=12,
        layer_width=width,
        custom_msdnet=np.resize(cycle, (12, width)).T,
        normalization=None,
    )
    ours = MixedScaleDense(3, mixed_dilations(12, cycle, width), "zeros")
    ours.build((None, None, None, 2))
    ours.set_weights(weights_of(theirs, width))
    image = np.random.default_rng(0).random((2, 21, 34, 2), np.float32)
    with torch.inference_mode():
        expected = theirs(torch.from_numpy(image.transpose(0, 3, 1, 2))).numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(ours(image), expected, atol=1e-6)


def weights_of(network, width):
    """Kernels and biases of a network of dlsia's, in Keras' order of axes and weights."""
    found = {name: value.detach().numpy() for name, value in network.named_parameters()}
    layers = [f"layer_{layer}.conv_{n}" for layer in range(12) for n in range(width)]
    weights = []
    for layer in [
        *(layers[first : first + width] for first in range(0, len(layers), width)),
        ["final_convolution"],
    ]:
        kernels = [found[f"{name}.weight"].transpose(2, 3, 1, 0) for name in layer]
        weights += [np.concatenate(kernels, -1), np.concatenate([found[f"{name}.bias"] for name in layer])]
    return weights
