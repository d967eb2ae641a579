"""What `images`, `prediction` and `postprocess` do to one image, as TensorFlow operations on a batch.

A SavedModel carries these with it, so that whoever serves it sends pixels as they are stored. Every function
does what its namesake in NumPy does, and is tested against it, on images (B, Y, X, C) and on volumes
(B, Z, Y, X, C).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from kerasseg.images.histogram_matching import Matching
from kerasseg.images.normalisation import Dtype, Normalisation, Percentile
from kerasseg.images.preprocessing import LUMINANCE
from kerasseg.spec import ModelSpec


def as_batch(image: tf.Tensor, rank: int) -> tf.Tensor:
    """Give grey images (B, ...), of so many axes in space, their axis of channels; (B, ..., C) stays."""
    with_axis = tf.concat([tf.shape(image), [1]], axis=0)[: rank + 2]
    return tf.ensure_shape(tf.reshape(image, with_axis), (None,) * (rank + 2))


def with_channels(image: tf.Tensor, n: int, whole_numbers: bool) -> tf.Tensor:
    """Give images the channels that a model takes, as `kerasseg.images.preprocessing.with_channels`.

    Parameters
    ----------
    image : tf.Tensor
        (B, ..., C) float32, intensities as stored.
    n : int
        Channels wanted.
    whole_numbers : bool
        Whether the images are stored as integers, so that luminance is rounded.

    Returns
    -------
    tf.Tensor
        (B, ..., n) float32. Where the channels cannot be had without guessing, the request fails.
    """
    image = tf.cond(tf.shape(image)[-1] == n, lambda: image, lambda: _without_constant_alpha(image))
    if n == 1:
        image = tf.cond(tf.shape(image)[-1] == 3, lambda: _luminance(image, whole_numbers), lambda: image)
    else:
        image = tf.cond(tf.shape(image)[-1] == 1, lambda: tf.repeat(image, n, axis=-1), lambda: image)
    message = f"the model takes {n} channels; send images of {n}, or ones that turn into {n} without guessing"
    tf.debugging.assert_equal(tf.shape(image)[-1], n, message)
    return tf.ensure_shape(image, (*[None] * (image.shape.rank - 1), n))


def _without_constant_alpha(image: tf.Tensor) -> tf.Tensor:
    alpha, channels = image[..., -1], tf.shape(image)[-1]
    space = range(1, alpha.shape.rank)
    constant = tf.reduce_all(tf.reduce_min(alpha, space) == tf.reduce_max(alpha, space))
    silent = constant & ((channels == 2) | (channels == 4))
    return tf.cond(silent, lambda: image[..., :-1], lambda: image)


def _luminance(image: tf.Tensor, whole_numbers: bool) -> tf.Tensor:
    grey = tf.reduce_sum(image * LUMINANCE, axis=-1, keepdims=True)
    return tf.round(grey) if whole_numbers else grey


def match(image: tf.Tensor, wanted: Matching, dtype: tf.DType) -> tf.Tensor:
    """Bring images to a histogram, each by itself, as `kerasseg.images.histogram_matching.Matching.image`.

    Parameters
    ----------
    image : tf.Tensor
        (B, Y, X, C) or (B, Z, Y, X, C) float32, intensities as stored.
    wanted : Matching
    dtype : tf.DType
        uint8 or uint16, in which the images are stored.

    Returns
    -------
    tf.Tensor
        The same shape, float32, intensities of the histogram's type.
    """
    values, batch, channels = dtype.max + 1, tf.shape(image)[0], image.shape[-1]
    flat = tf.transpose(tf.reshape(tf.cast(image, tf.int32), (batch, -1, channels)), (0, 2, 1))
    rows = tf.reshape(flat, (batch * channels, -1))
    counts = tf.math.bincount(rows, minlength=values, maxlength=values, axis=-1)
    kept = ~np.isin(np.arange(values), wanted.leave_out)
    counts = tf.reshape(counts * kept.astype(np.int32), (batch, channels, values))
    ranks = tf.cast(tf.cumsum(counts, axis=-1), tf.float64)
    quantiles = ranks / tf.maximum(ranks[..., -1:], 1.0)
    unchanged = np.minimum(np.arange(values), tf.as_dtype(wanted.dtype).max).astype(np.float32)
    tables = []
    for channel, numbers in enumerate(wanted.histogram):
        there = np.flatnonzero(numbers)
        new = _interpolated(quantiles[:, channel], np.cumsum(numbers[there]) / max(numbers.sum(), 1), there)
        is_changed = kept & (ranks[:, channel, -1:] > 0) & bool(len(there))
        tables.append(tf.where(is_changed, new, unchanged))
    matched = tf.gather(tf.stack(tables, axis=1), flat, batch_dims=2)
    return tf.reshape(tf.transpose(matched, (0, 2, 1)), tf.shape(image))


def _interpolated(places: tf.Tensor, known: np.ndarray, values: np.ndarray) -> tf.Tensor:
    """Interpolate to the nearest whole numbers, as `numpy.interp` does: (B, V) float64 to float32."""
    if len(known) < 2:
        return tf.ones_like(places, tf.float32) * float(values[0] if len(values) else 0)
    below = tf.searchsorted(known, tf.reshape(places, [-1]), side="right") - 1
    below = tf.reshape(tf.clip_by_value(below, 0, len(known) - 2), tf.shape(places))
    slopes = tf.gather(np.diff(values) / np.diff(known), below)
    new = slopes * (places - tf.gather(known, below)) + tf.gather(values.astype(float), below)
    return tf.cast(tf.round(tf.clip_by_value(new, float(values[0]), float(values[-1]))), tf.float32)


def normalise(image: tf.Tensor, method: Normalisation, dtype: tf.DType) -> tf.Tensor:
    """Scale intensities to [0, 1], each image by itself, as `kerasseg.images.preprocessing.normalise`.

    Parameters
    ----------
    image : tf.Tensor
        (B, Y, X, C) or (B, Z, Y, X, C) float32, intensities as stored.
    method : Normalisation
        What becomes 0 and 1.
    dtype : tf.DType
        The type in which the images are stored.

    Returns
    -------
    tf.Tensor
        The same shape, float32. Values that NumPy's function refuses make the request fail.
    """
    if dtype.is_floating:
        image = tf.debugging.check_numerics(image, "the image holds NaN or infinite values")
    if method == Dtype():
        return image / dtype.max if dtype.is_integer else _already_normalised(image)
    pixels = tf.reshape(image, (tf.shape(image)[0], -1, image.shape[-1]))  # (B, pixels, C)
    low, high = _percentiles(pixels, method) if isinstance(method, Percentile) else _ends(pixels)
    span = tf.where(high > low, high - low, 1.0)
    return tf.reshape(tf.clip_by_value((pixels - low) / span, 0.0, 1.0), tf.shape(image))


def _already_normalised(image: tf.Tensor) -> tf.Tensor:
    inside = tf.reduce_all((image >= 0) & (image <= 1))
    tf.debugging.assert_equal(inside, True, "float intensities must lie in [0, 1]")
    return image


def _ends(pixels: tf.Tensor) -> list[tf.Tensor]:
    return [tf.reduce_min(pixels, axis=1, keepdims=True), tf.reduce_max(pixels, axis=1, keepdims=True)]


def _percentiles(pixels: tf.Tensor, wanted: Percentile) -> list[tf.Tensor]:
    """Interpolate between the two nearest ranks, in float64 as NumPy does: (B, 1, C) each."""
    ranked = tf.sort(tf.transpose(pixels, (0, 2, 1)), axis=-1)
    last = tf.shape(ranked)[-1] - 1
    found = []
    for percentile in (wanted.low, wanted.high):
        place = tf.cast(last, tf.float64) * percentile / 100
        below = tf.cast(place, tf.int32)
        nearest = tf.gather(ranked, [below, tf.minimum(below + 1, last)], axis=-1)
        lower, upper = tf.unstack(tf.cast(nearest, tf.float64), axis=-1)
        value = lower + (upper - lower) * (place - tf.floor(place))
        found.append(tf.cast(value[:, None], tf.float32))
    return found


def resize(image: tf.Tensor, size: tf.Tensor | tuple[int, int]) -> tf.Tensor:
    """Resize by area where images shrink, linearly where they grow, as
    `kerasseg.images.preprocessing.resize`.

    Of images only, not of volumes. On float32 this equals OpenCV to 1e-5.
    """
    shrinks = tf.reduce_all(tf.convert_to_tensor(size) <= tf.shape(image)[1:3])
    by_area = lambda: tf.image.resize(image, size, method="area")  # noqa: E731
    return tf.cond(shrinks, by_area, lambda: tf.image.resize(image, size, method="bilinear"))


def pad(image: tf.Tensor, multiple_of: Sequence[int]) -> tf.Tensor:
    """Continue images at their ends by reflection to a multiple an axis, as `kerasseg.images.padding`."""
    for axis, multiple in enumerate(multiple_of, start=1):
        image = tf.gather(image, _reflected(tf.shape(image)[axis], multiple), axis=axis)
    return image


def _reflected(length: tf.Tensor, multiple_of: int) -> tf.Tensor:
    """Index `length` pixels, rounded up to a multiple: 0 1 2 1 0 1 ..."""
    period = tf.maximum(2 * (length - 1), 1)
    places = tf.range(-(-length // multiple_of) * multiple_of) % period
    return tf.minimum(tf.minimum(places, period - places), length - 1)


def crop(image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Cut off what `pad` continued: (B, ..., K) to (B, *size, K)."""
    return image[(slice(None), *(slice(length) for length in tf.unstack(size)))]


def decide(probabilities: tf.Tensor, spec: ModelSpec) -> tf.Tensor:
    """Decide which class a pixel is of, as `kerasseg.spec.ModelSpec.decide`: (B, ..., K) to (B, ...) uint8.

    A landscape behind the classes is left out. With `multilabel` each class is decided by the threshold
    alone: (B, ..., K) of 0 and 1.
    """
    if spec.objects.by_landscape:
        probabilities = probabilities[..., :-1]
    if spec.multilabel:
        return tf.cast(probabilities >= spec.threshold, tf.uint8)
    strongest = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
    if spec.activation == "sigmoid":
        likely = tf.reduce_max(probabilities, axis=-1) >= spec.threshold
        strongest = tf.where(likely, strongest + 1, 0)
    return tf.cast(strongest, tf.uint8)
