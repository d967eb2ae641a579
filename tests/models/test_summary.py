"""Costs of small models counted by hand, by TensorFlow's own profiler, and against the published sizes."""

import keras
import numpy as np
import pytest
from components import MODELS
from keras import layers

from kerasseg.models import summary


def build(*stack, shape=(None, None, 2)):
    image = x = keras.Input(shape, name="image")
    for layer in stack:
        x = layer(x)
    return keras.Model(image, x)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.Conv2D(5, 3, padding="same"), 2 * 8 * 6 * (3 * 3 * 2 * 5)),
        (layers.Conv2D(5, 3, strides=2, padding="same"), 2 * 4 * 3 * (3 * 3 * 2 * 5)),
        (layers.Conv2D(4, 3, padding="same", groups=2), 2 * 8 * 6 * (3 * 3 * 1 * 4)),
        (layers.DepthwiseConv2D(3, padding="same"), 2 * 8 * 6 * (3 * 3 * 2)),
        (layers.Conv2DTranspose(5, 2, strides=2), 2 * 8 * 6 * (2 * 2 * 2 * 5)),
        (layers.Dense(7), 2 * 8 * 6 * (2 * 7)),
        (layers.BatchNormalization(), 0),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_layer_costs_two_operations_for_each_weight_and_place(layer, expected):
    assert summary.flops(build(layer), (8, 6)) == expected


def test_volumes_are_counted_too():
    model = build(layers.Conv3D(4, 3, padding="same"), shape=(None, None, None, 1))
    assert summary.flops(model, (2, 3, 5)) == 2 * (2 * 3 * 5) * (3**3 * 4)


def test_agrees_with_the_profiler_of_tensorflow():
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    model = build(
        layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False),
        layers.DepthwiseConv2D(3, padding="same", use_bias=False),
        layers.Conv2D(1, 1, use_bias=False),
    )
    function = tf.function(model).get_concrete_function(tf.TensorSpec((1, 16, 12, 2)))
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    graph = convert_variables_to_constants_v2(function).graph
    profile = tf.compat.v1.profiler.profile(graph, options=options | {"output": "none"})
    assert summary.flops(model, (16, 12)) == profile.total_float_ops


@pytest.mark.parametrize(("name", "parameters", "gflop"), [("unet", 10.12e6, 9.4), ("linknet", 6.10e6, 4.0)])
def test_networks_without_gates_have_the_sizes_of_segmentation_models(name, parameters, gflop):
    model = MODELS[name]((None, None, 3), 1, encoder_weights=None, attention=False)
    found = summary.describe(model, (256, 256), batch=8)
    assert found["parameters"] == pytest.approx(parameters, rel=0.02)
    assert found["flops"] / 1e9 == pytest.approx(gflop, rel=0.03)
    assert found["parameters"] == sum(row["parameters"] for row in found["blocks"])
    assert [row["block"] for row in found["blocks"]][:3] == ["stem", "block1", "block2"]


def test_blocks_of_a_gated_network_with_a_plain_encoder():
    model = MODELS["unet"]((None, None, 1), 1, encoder="plain", base_filters=4, attention_filters=2)
    names = [row.block for row in summary.blocks(model, (32, 32))]
    assert set(names) == {*(f"encoder{n}" for n in range(5)), *(f"decoder{n}" for n in range(4))} | {
        *(f"gate{n}" for n in range(4)),
        "head",
    }
    assert names[-1] == "head"


def test_blocks_and_memory_of_a_generator_for_volumes_whose_edges_are_mirrored():
    model = MODELS["resnet"]((None, None, None, 1), 1, base_filters=1, residual_blocks=1, outer_kernel=3)
    names = [row.block for row in summary.blocks(model, (8, 8, 8))]
    assert names == ["stem", "encoder0", "encoder1", "residual0", "decoder0", "decoder1", "head"]
    outer, halved, doubled, inner = 8**3 * 2, 4**3 * 2 + 2**3 * 8, 2**3 * 8 + 4**3 * 2, 2 * 2**3 * 16
    assert summary.flops(model, (8, 8, 8)) == 2 * 27 * (outer + halved + doubled + inner)


def test_what_an_operation_makes_is_held_in_memory_too():
    image = keras.Input((None, None, 2))
    mirrored = keras.Model(image, keras.ops.pad(image, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="reflect"))
    assert summary.memory(mirrored, (8, 6), batch=3) == (0, 0, 4 * 3 * 10 * 8 * 2)
    assert summary.blocks(mirrored, (8, 6)) == []


def test_memory_of_one_convolution():
    model = build(layers.Conv2D(5, 1, padding="same"))  # 2 * 5 weights and 5 biases
    assert summary.memory(model, (8, 6), batch=3) == (4 * 15, 8 * 15, 4 * 3 * 8 * 6 * 5)


def test_latency_is_the_median_and_leaves_the_first_call_out(monkeypatch):
    clock = iter(np.cumsum([0, 0.25, 0, 3, 0, 0.5]))
    monkeypatch.setattr(summary.time, "perf_counter", lambda: next(clock))
    calls = []
    seconds = summary.latency(lambda image: calls.append(image.shape) or image, (1, 4, 4, 1), repeats=3)
    assert seconds == 0.5
    assert calls == [(1, 4, 4, 1)] * 4


def test_what_takes_long_is_not_timed_often(monkeypatch):
    clock = iter(np.cumsum([0, 4, 0, 4]))
    monkeypatch.setattr(summary.time, "perf_counter", lambda: next(clock))
    calls = []
    assert summary.latency(lambda image: calls.append(1) or image, (1, 4, 4, 1)) == 4
    assert len(calls) == 3
