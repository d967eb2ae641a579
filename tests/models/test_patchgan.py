"""A score sees 70 pixels: by the formula, along the graph, and by what changes it."""

import numpy as np
import pytest
from components import DISCRIMINATORS

from kerasseg.models import receptive_field, summary
from kerasseg.models.patchgan import field_of_view

patchgan = DISCRIMINATORS["patchgan"]


@pytest.mark.parametrize(("levels", "pixels"), [(1, 16), (2, 34), (3, 70), (4, 142)])
def test_the_field_of_view_is_the_papers_and_that_of_the_graph(levels, pixels):
    # back from a score: 1, 4 and 7 by the convolutions of stride 1; then 2 (7 - 1) + 4 = 16, 34, 70, ...
    assert field_of_view(levels) == pixels
    model = patchgan([(None, None, 1)], base_filters=1, levels=levels, normalisation="batch")
    assert receptive_field.field_of_view(model) == (pixels, pixels)


def light(model):
    """Make weights of which none takes another's light away."""
    for weight in model.trainable_weights:
        weight.assign(np.ones(weight.shape) if "kernel" in weight.path else weight.numpy())
    return model


def test_exactly_the_pixels_of_its_field_change_a_score():
    model = light(patchgan([(None, None, 1)], base_filters=1, normalisation="batch"))
    images = np.zeros((129, 128, 8, 1), np.float32)
    images[np.arange(128), np.arange(128), 4] = 1  # one bright pixel each, and an image without
    scores = np.asarray(model(images))[:, 8, 0, 0]
    changed = np.flatnonzero(scores[:-1] != scores[-1])
    assert len(changed) == 70
    assert np.ptp(changed) == 69


def test_in_volumes_the_gradient_of_a_score_reaches_as_far():
    import tensorflow as tf

    model = light(patchgan([(None, None, None, 1)], base_filters=1, levels=1, normalisation="batch"))
    volume = tf.Variable(tf.random.stateless_uniform((1, 24, 24, 24, 1), (0, 0)))
    with tf.GradientTape() as tape:
        score = model(volume)[0, 6, 6, 6, 0]
    reached = np.argwhere(np.asarray(tape.gradient(score, volume))[0, ..., 0])
    np.testing.assert_array_equal(np.ptp(reached, axis=0) + 1, (16, 16, 16))


def test_an_image_and_its_mask_are_judged_together():
    model = patchgan([(None, None, None, 2), (None, None, None, 3)], base_filters=2)
    assert model.get_layer("encoder0_conv").kernel.shape == (4, 4, 4, 5, 2)
    image, mask = np.zeros((1, 16, 24, 16, 2), np.float32), np.zeros((1, 16, 24, 16, 3), np.float32)
    assert model([image, mask]).shape == (1, 2, 3, 2, 1)
    assert summary.flops(model, (16, 16, 16)) > 0


def test_it_has_the_size_of_its_authors_own():
    biases = 128 + 256 + 512  # which theirs has where normalisation takes them away
    scales = 2 * biases  # which theirs has not
    assert patchgan([(None, None, 3)]).count_params() - scales == 2_764_737 - biases


def test_scores_have_no_bounds():
    model = patchgan([(8, 8, 1)], base_filters=1, levels=1)
    model.get_layer("head_conv").set_weights([np.zeros((4, 4, 2, 1)), np.array([-3.5])])
    assert np.ravel(model(np.zeros((1, 8, 8, 1), np.float32))).tolist() == [-3.5] * 16


def test_instance_normalisation_sees_the_whole_image():
    assert receptive_field.field_of_view(patchgan([(None, None, 1)], base_filters=1)) is None
