from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from kerasseg.data.batches import SampleCache, TrainingBatches, UnpairedBatches, ValidationBatches
from kerasseg.data.sample import Annotation
from kerasseg.errors import UserError
from kerasseg.images.normalisation import Dtype
from kerasseg.images.preprocessing import Preprocessing
from kerasseg.postprocess import landscape

AUGMENT = [{"HorizontalFlip": {}}, {"Affine": {"scale": [0.8, 1.0]}}]


def common(channels=1, resize=None, **changes):
    """Arguments of batches: grey images of one class at their own size, if not said otherwise."""
    arguments = {
        "class_ids": range(1, 2),
        "patch": None,
        "batch_size": 3,
        "multiple_of": 32,
    }
    return arguments | {"preprocessing": Preprocessing(channels, Dtype(), resize)} | changes


def stream(samples, **changes):
    return TrainingBatches(samples, **common(**{"seed": 5, "augment": AUGMENT} | changes))


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_shapes_and_ranges(gradients):
    images, targets = stream(gradients).batch(0)
    assert (images.shape, images.dtype) == ((3, 32, 64, 1), np.float32)
    assert (targets.shape, targets.dtype) == ((3, 32, 64, 1), np.uint8)
    assert 0 <= images.min() < images.max() <= 1


def test_any_batch_can_be_asked_for_at_any_time(gradients):
    through = stream(gradients)
    batches = [through.batch(at) for at in range(6)]
    assert same(stream(gradients).batch(4), batches[4])
    assert same(through.batch(1), batches[1])
    assert not same(stream(gradients, seed=6).batch(4), batches[4])


def test_memory_makes_no_difference(gradients):
    assert same(stream(gradients, budget=0).batch(3), stream(gradients).batch(3))


def test_every_pass_has_every_sample_in_another_order(gradients):
    names = [name for at in range(7) for name in stream(gradients).names(at)]
    passes = [names[at : at + 7] for at in (0, 7, 14)]
    assert all(Counter(order) == Counter(s.name for s in gradients) for order in passes)
    assert passes[0] != passes[1]
    assert len(stream(gradients)) == 3


def test_a_sample_looks_different_in_each_pass(gradients):
    batches = stream(gradients[:1], batch_size=1, augment=[{"Affine": {"scale": [0.5, 1.0], "p": 1.0}}])
    assert not same(batches.batch(0), batches.batch(1))


def test_a_batch_may_be_larger_than_the_data(gradients):
    images, _ = stream(gradients[:2], batch_size=5).batch(0)
    assert len(images) == 5


def test_images_are_padded_to_what_a_model_takes(gradients):
    images, targets = stream(gradients, resize=(20, 40), augment=()).batch(0)
    assert images.shape == (3, 32, 64, 1)
    assert (targets[:, 20:] == 255).all()
    assert (targets[:, :, 40:] == 255).all()
    assert (targets[:, :20, :40] != 255).all()


def test_patches_are_cut_from_the_resized_image(gradients):
    patches = stream(gradients, resize=(64, 128), patch={"size": 32, "foreground": 1.0}, augment=())
    images, targets = patches.batch(0)
    assert images.shape == (3, 32, 32, 1)
    assert targets.any(axis=(1, 2, 3)).all()


def test_different_sizes_need_a_choice(make_sample):
    samples = [make_sample(f"x{n}", np.zeros((n, n), np.uint8), np.zeros((n, n), np.uint8)) for n in (32, 40)]
    with pytest.raises(UserError, match=r"data\.resize.*data\.patch"):
        stream(samples)
    assert stream(samples, resize=(32, 32)).batch(0)[0].shape[1:3] == (32, 32)
    assert stream(samples, patch={"size": [32, 64]}).batch(0)[0].shape[1:3] == (32, 64)


@pytest.mark.parametrize("arguments", [{}, {"patch": {"size": 32}}, {"resize": (40, 40)}])
def test_a_fixed_stream_counts_every_pixel_once(gradients, arguments):
    batches = ValidationBatches(gradients, **common(batch_size=4, **arguments))
    targets = np.concatenate([batches.batch(at)[1] for at in range(len(batches))])
    counted = np.bincount(targets.ravel(), minlength=256)
    masks = [batches.pairs[at][1] for at in range(7)]
    assert counted[1] == sum(mask.sum() for mask in masks)
    assert counted[:2].sum() == sum(mask.size for mask in masks)


def test_a_fixed_stream_is_what_the_files_hold(gradients):
    batches = ValidationBatches(gradients, **common(batch_size=4))
    images, targets = batches.batch(1)
    assert batches.names(1) == ["g4", "g5", "g6"]
    assert np.array_equal(images[0], gradients[4].read() / np.float32(255))
    assert np.array_equal(targets[0, ..., 0], gradients[4].annotate().mask)


def test_softmax_has_a_channel_for_the_background(gradients):
    _, targets = stream(gradients, class_ids=range(2)).batch(0)
    assert targets.shape[-1] == 2
    assert (targets.sum(axis=-1) == 1).all()


def test_what_is_seen_beside_an_image_is_cut_and_turned_with_it_and_brightened_never(gradients):
    """Its own mask as the channel: wherever a target is not ignored, the channel is that target."""
    samples = [replace(each, channels=(partial(is_cell, each),)) for each in gradients]
    changes = {
        "patch": {"size": 32, "foreground": 0.5},
        "augment": [*AUGMENT, {"RandomBrightnessContrast": {"p": 1}}],
    }
    alone, beside = stream(gradients, **changes), stream(samples, **changes)
    assert (alone.channels, beside.channels) == (1, 2)
    for number in range(4):
        images, targets = beside.batch(number)
        assert same(alone.batch(number), (images[..., :1], targets))
        assert set(np.unique(images[..., 1])) == {0, 1}
        np.testing.assert_array_equal(images[..., 1:], targets == 1)
    images, targets = ValidationBatches(samples, **common()).batch(0)
    np.testing.assert_array_equal(images[..., 1:], targets == 1)


def is_cell(sample):
    return sample.annotate().mask == 1


def test_no_samples_are_refused():
    with pytest.raises(UserError, match="no samples"):
        stream([])


@pytest.fixture
def volumes(make_volume):
    """Two volumes of two channels and of different sizes, whose first class is bright in the first."""
    return [make_volume("thin", (21, 40, 50)), make_volume("thick", (37, 70, 33))]


def boxes(volumes, **changes):
    arguments = {"channels": 2, "patch": {"size": 32, "foreground": 1.0}, "augment": [{"RandomRotate90": {}}]}
    return stream(volumes, **arguments | changes)


def test_patches_of_volumes(volumes):
    images, targets = boxes(volumes).batch(0)
    assert (images.shape, images.dtype) == ((3, 32, 32, 32, 2), np.float32)
    assert (targets.shape, targets.dtype) == ((3, 32, 32, 32, 1), np.uint8)
    assert (targets == 1).any(axis=(1, 2, 3, 4)).all()
    bright = images[..., 0] > 0.5
    assert bright[targets[..., 0] == 1].all()
    assert not bright[targets[..., 0] == 0].any()
    assert same(boxes(volumes).batch(3), boxes(volumes, budget=0).batch(3))


def test_planes_beyond_a_volume_are_mirrored_and_ignored(volumes):
    images, targets = boxes(volumes[:1], augment=(), batch_size=1).batch(0)
    ignored = (targets[0, ..., 0] == 255).all(axis=(1, 2))
    assert ignored.tolist() == [True] * 6 + [False] * 21 + [True] * 5
    assert np.array_equal(images[0, 5], images[0, 7])


def test_a_side_may_be_what_the_model_takes(volumes):
    assert boxes(volumes, patch={"size": [12, 20, 32]}, multiple_of=8).shape == (16, 24, 32)
    with pytest.raises(UserError, match=r"volumes are of 2 sizes.*data\.patch"):
        boxes(volumes, patch=None)


def test_targets_of_classes_that_overlap(make_volume):
    sample = make_volume("both", (16, 32, 32), overlapping=True)
    _, targets = stream([sample], class_ids=range(1, 3), channels=2, augment=(), batch_size=1).batch(0)
    assert np.array_equal(targets[0, :16], sample.annotate().mask)
    assert (targets[0, 16:] == 255).all()


@pytest.mark.parametrize("overlapping", [False, True])
def test_a_fixed_stream_counts_every_voxel_once(make_volume, overlapping):
    samples = [make_volume("a", (21, 40, 50), overlapping=overlapping)]
    batches = ValidationBatches(samples, **common(2, class_ids=range(1, 3), patch={"size": 32}))
    targets = np.concatenate([batches.batch(at)[1] for at in range(len(batches))])
    mask = samples[0].annotate().mask
    assert (targets != 255).all(axis=-1).sum() == 21 * 40 * 50
    assert (targets[..., 0] == 1).sum() == (mask[..., 0] if overlapping else mask == 1).sum()
    assert batches.names(0) == ["a"] * 3


def test_images_of_one_and_masks_of_the_other(gradients):
    images, masks = stream(gradients[:3]), stream(gradients[3:], seed=6)
    unpaired = UnpairedBatches(images, masks)
    assert len(unpaired) == len(images) == 1
    for at in (4, 0):
        shown, learnt = unpaired.batch(at)
        assert np.array_equal(shown, images.batch(at)[0])
        assert np.array_equal(learnt, masks.batch(at)[1])
        assert unpaired.names(at) == images.names(at) + masks.names(at)


def test_the_same_samples_in_another_order_share_what_was_read(gradients):
    images = stream(gradients)
    masks = images.with_seed(6)
    assert masks.pairs is images.pairs
    assert [masks.names(at) for at in range(5)] == [stream(gradients, seed=6).names(at) for at in range(5)]
    assert np.array_equal(masks.batch(2)[1], stream(gradients, seed=6).batch(2)[1])
    assert images.names(0) == stream(gradients).names(0)
    shown = [images.names(at) != masks.names(at) for at in range(5)]
    assert all(shown)


def test_streams_of_two_shapes_are_refused(gradients):
    with pytest.raises(UserError, match=r"\(32, 32\).*\(32, 64\).*data\.patch"):
        UnpairedBatches(stream(gradients), stream(gradients, patch={"size": 32}))


def test_what_fits_is_read_once(gradients, monkeypatch):
    read = []
    plain = type(gradients[0]).read
    monkeypatch.setattr(type(gradients[0]), "read", lambda self: read.append(self.name) or plain(self))
    bytes_each = 32 * 64 * 2  # image and mask
    images = SampleCache(gradients, Preprocessing(1, Dtype(), None), budget=2 * bytes_each)
    for _ in range(3):
        pairs = [images[at] for at in (0, 1, 2)]
    assert read == ["g0", "g1", "g2", "g2", "g2"]
    assert pairs[2][1].sum() == 10 * 20


def test_masks_are_resized_with_their_images(gradients):
    images = SampleCache(gradients, Preprocessing(3, Dtype(), (16, 16)))
    image, mask = images[0]
    assert (image.shape, mask.shape) == ((16, 16, 3), (16, 16))
    assert set(np.unique(mask)) == {0, 1}
    assert images.sizes() == [(16, 16)] * 7


def test_a_landscape_is_cut_and_turned_as_the_mask_is(gradients):
    labels = np.zeros((32, 64), np.int32)
    labels[4:17, 6:19], labels[4:17, 19:40] = 3, 5
    mask = (labels > 0).astype(np.uint8)
    mask[:6] = 255
    samples = [replace(gradients[0], annotate=partial(Annotation, mask, labels))]
    changes = {"augment": [{"HorizontalFlip": {"p": 1.0}}], "batch_size": 1, "landscape": True}
    batches = stream(samples, patch={"size": 32}, **changes)
    targets = np.concatenate([batches.batch(at)[1] for at in range(6)])
    assert targets.shape[1:] == (32, 32, 2)
    assert batches.outputs == 2
    marked, heights = targets[..., 0], targets[..., 1]
    np.testing.assert_array_equal(heights == 255, marked == 255)
    np.testing.assert_array_equal((heights > 0) & (heights < 255), marked == 1)
    (whole,) = ValidationBatches(samples, **common(landscape=True)).batch(0)[1]
    drawn = np.where(mask == 255, 255, landscape(labels))
    np.testing.assert_array_equal(whole[..., 1], drawn)


def test_objects_that_nobody_told_apart_have_no_landscape(gradients):
    samples = [replace(gradients[0], annotate=partial(Annotation, np.zeros((32, 64), np.uint8)))]
    with pytest.raises(UserError, match="its objects are not told apart"):
        stream(samples, landscape=True).batch(0)
