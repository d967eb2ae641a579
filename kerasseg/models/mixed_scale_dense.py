"""The mixed-scale dense network as one layer with a gradient of its own: as quick and small as a CPU allows.

A dilated convolution to one map is a matrix product, all taps of its kernel times all maps before, and a sum
of shifted products. Layers come in blocks: one product serves all layers of a block for the maps before it,
and small ones for the maps within it. Maps are kept with their padding, as rows of pixels in which each shift
is a plain piece. The gradient keeps the maps and nothing else, and goes from block to block.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import keras
import tensorflow as tf

MAPS_PER_BLOCK = 6  # fewer take more time, more take more memory
ALIGNMENT = 16  # float32: TensorFlow shares a piece that begins at a multiple of 64 bytes, and copies others

MODES = {"reflect": "REFLECT", "symmetric": "SYMMETRIC", "zeros": "CONSTANT"}

Dilations = Sequence[Sequence[int]]
Gradient = Callable[[tf.Tensor], list[tf.Tensor]]


@keras.saving.register_keras_serializable("kerasseg")
class MixedScaleDense(keras.layers.Layer):
    """All layers of a mixed-scale dense network, and the convolution of one pixel that ends it.

    Its numbers, and the order of its weights, are those of `kerasseg.models.msdnet.layer_by_layer`.

    Parameters
    ----------
    classes : int
        K, the channels of the result.
    dilations : sequence of sequence of int
        For each layer the dilation of each of its maps, of which all layers have as many.
    padding : {"reflect", "symmetric", "zeros"}
        Beyond the border: the image mirrored without or with its outermost pixel, or nothing.
    **layer
        As for every Keras layer.

    Notes
    -----
    From ``(B, Y, X, C)`` or ``(B, Z, Y, X, C)`` to logits of the same axes with K channels.
    """

    def __init__(self, classes: int, dilations: Dilations, padding: str = "reflect", **layer: object) -> None:
        super().__init__(**layer)
        self.classes = classes
        self.dilations = [list(each) for each in dilations]
        self.padding = padding
        self.kernels: list[keras.Variable] = []
        self.biases: list[keras.Variable] = []

    @property
    def radius(self) -> int:
        """Pixels that an answer sees on each side."""
        return sum(map(max, self.dilations))

    @property
    def held_maps(self) -> int:
        """Maps that a training step holds: all, their gradient before and after a block, its taps twice."""
        taps = math.prod(self.kernels[0].shape[:-2]) * max(MAPS_PER_BLOCK, len(self.dilations[0]))
        return 3 * sum(map(len, self.dilations)) + 2 * taps

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        rank, channels = len(input_shape) - 2, input_shape[-1]
        depth, width = len(self.dilations), len(self.dilations[0])
        deviation = initial_deviation(rank, channels, depth, width, self.classes)
        for layer in range(depth):
            shape = (*[3] * rank, channels + layer * width, width)
            drawn = keras.initializers.RandomNormal(stddev=deviation)
            self.kernels.append(self.add_weight(shape=shape, initializer=drawn, name=f"layer{layer}_kernel"))
            self.biases.append(
                self.add_weight(shape=(width,), initializer="zeros", name=f"layer{layer}_bias")
            )
        shape = (*[1] * rank, channels + depth * width, self.classes)
        self.kernels.append(self.add_weight(shape=shape, initializer="zeros", name="head_kernel"))
        self.biases.append(self.add_weight(shape=shape[-1:], initializer="zeros", name="head_bias"))

    @tf.autograph.experimental.do_not_convert
    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        def compute(images: tf.Tensor, *weights: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
            return mixed_scale_dense(images, weights, self.dilations, self.padding)

        weights = [tf.convert_to_tensor(each) for each in itertools.chain(self.kernels, self.biases)]
        if training is False:  # a SavedModel need not keep a gradient that is as large as the network
            logits, _ = compute(images, *weights)
            return logits
        return tf.custom_gradient(compute)(images, *weights)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.classes)

    def get_config(self) -> dict:
        own = {"classes": self.classes, "dilations": self.dilations, "padding": self.padding}
        return super().get_config() | own


def initial_deviation(rank: int, channels: int, depth: int, width: int, classes: int) -> float:
    """Give the standard deviation of the published initialisation's kernels.

    ``sqrt(2 / (taps * (channels + width * (depth - 1)) + classes))``; biases and the last convolution are 0.
    """
    return math.sqrt(2 / (3**rank * (channels + width * (depth - 1)) + classes))


def mixed_scale_dense(
    images: tf.Tensor, weights: Sequence[tf.Tensor], dilations: Dilations, padding: str
) -> tuple[tf.Tensor, Gradient]:
    """Compute logits ``(B, ..., K)`` of images ``(B, ..., C)``, and how to get gradients from theirs.

    Parameters
    ----------
    images : Tensor
    weights : sequence of Tensor
        All kernels, ``(3, 3, c, w)`` in 2-D, and that of the head, ``(1, 1, c, K)``; then all biases alike.
    dilations, padding
        See `MixedScaleDense`.

    Returns
    -------
    logits : Tensor
    gradient : callable
        From the gradient of the logits to those of the images and of all weights.
    """
    *kernels, head = weights[: len(weights) // 2]
    *biases, head_bias = weights[len(weights) // 2 :]
    canvas = Canvas(images, max(map(max, dilations)), padding)
    blocks = _blocks(kernels, biases, dilations)
    last = tf.reshape(head, head.shape[-2:])
    maps = canvas.painted(_channels_first(images))
    for block in blocks:
        maps = _extended(canvas, maps, block)
    logits = _channels_last(canvas.lifted(tf.matmul(last, maps, transpose_a=True))) + head_bias

    def gradient(of_answer: tf.Tensor) -> list[tf.Tensor]:
        of_logits = canvas.painted(_channels_first(of_answer), "zeros")
        of_head = tf.matmul(maps, of_logits, transpose_b=True)
        of_maps = tf.matmul(last, of_logits)
        of_layers: list[tuple[tf.Tensor, tf.Tensor]] = []
        for block in reversed(blocks):
            of_maps, of_block = _retraced(canvas, maps, of_maps, block)
            of_layers = of_block + of_layers
        of_kernels, of_biases = zip(*of_layers, strict=True)
        of_head_bias = tf.reduce_sum(of_answer, range(len(of_answer.shape) - 1))
        of_images = _channels_last(canvas.painted_gradient(of_maps))
        return [of_images, *of_kernels, tf.reshape(of_head, head.shape), *of_biases, of_head_bias]

    return tf.ensure_shape(logits, [*images.shape[:-1], last.shape[-1]]), gradient


class Layer(NamedTuple):
    """A layer within a block: what makes w maps of all maps before."""

    matrix: tf.Tensor  # (w * taps, c)
    bias: tf.Tensor  # (w,)
    dilations: Sequence[int]  # w


def _blocks(
    kernels: Sequence[tf.Tensor], biases: Sequence[tf.Tensor], dilations: Dilations
) -> list[list[Layer]]:
    layers = [Layer(_matrix(kernel), *rest) for kernel, *rest in zip(kernels, biases, dilations, strict=True)]
    size = max(1, MAPS_PER_BLOCK // len(dilations[0]))
    return [layers[first : first + size] for first in range(0, len(layers), size)]


def _matrix(kernel: tf.Tensor) -> tf.Tensor:
    """Write a kernel ``(3, 3, c, w)`` as ``(w * taps, c)``."""
    before, width = kernel.shape[-2:]
    return tf.reshape(tf.transpose(tf.reshape(kernel, [-1, before, width]), [2, 0, 1]), [-1, before])


def _kernel(matrix: tf.Tensor, layer: Layer, rank: int) -> tf.Tensor:
    """Undo `_matrix`."""
    width, before = len(layer.dilations), matrix.shape[-1]
    taps = tf.transpose(tf.reshape(matrix, [width, 3**rank, before]), [1, 2, 0])
    return tf.reshape(taps, [*[3] * rank, before, width])


def _extended(canvas: Canvas, maps: tf.Tensor, block: Sequence[Layer]) -> tf.Tensor:
    """Append the maps of a block to all maps before, ``(c, pixels)``."""
    before = maps.shape[0]
    shared = iter(tf.unstack(tf.concat([layer.matrix[:, :before] for layer in block], 0) @ maps))
    made: list[tf.Tensor] = []
    for layer in block:
        within = iter(tf.unstack(layer.matrix[:, before:] @ tf.concat(made, 0))) if made else None
        sums = []
        for dilation in layer.dilations:
            products = [list(itertools.islice(each, 3**canvas.rank)) for each in (shared, within) if each]
            sums.append(canvas.gathered(products, dilation))
        bias = tf.reshape(layer.bias, [-1, *[1] * (canvas.rank + 1)])
        made.append(canvas.painted(tf.nn.relu(tf.stack(sums) + bias)))
    return tf.concat([maps, *made], 0)


def _retraced(
    canvas: Canvas, maps: tf.Tensor, of_maps: tf.Tensor, block: Sequence[Layer]
) -> tuple[tf.Tensor, list[tuple[tf.Tensor, tf.Tensor]]]:
    """Go back through a block: the gradient of all maps before it, and of each layer's kernel and bias.

    `of_maps` is the gradient of those maps, and of the block's own, by all that comes after.
    """
    before, width = block[0].matrix.shape[1], len(block[0].dilations)
    earlier, own = of_maps[:before], of_maps[before:]
    of_biases, of_taps, of_inner = [], [], []
    for number, layer in reversed(list(enumerate(block))):
        first = number * width
        with tf.control_dependencies([own]):  # else all maps are lifted at once
            made = canvas.lifted(maps[before + first : before + first + width])
        of_sums = tf.raw_ops.ReluGrad(gradients=canvas.painted_gradient(own[first:]), features=made)
        sums = zip(tf.unstack(of_sums, width), layer.dilations, strict=True)
        taps = [tap for of_sum, dilation in sums for tap in canvas.scattered(of_sum, dilation)]
        taps = tf.reshape(tf.concat(taps, 0), [len(taps), -1])
        of_biases.insert(0, tf.reduce_sum(of_sums, range(1, canvas.rank + 2)))
        of_taps.insert(0, taps)
        of_inner.insert(0, tf.matmul(taps, maps[before : before + first], transpose_b=True))
        own = own[:first] + tf.matmul(layer.matrix[:, before:], taps, transpose_a=True)
    taps = tf.concat(of_taps, 0)
    of_shared = tf.split(tf.matmul(taps, maps[:before], transpose_b=True), len(block))
    of_kernels = [
        _kernel(tf.concat(matrix, 1), layer, canvas.rank)
        for *matrix, layer in zip(of_shared, of_inner, block, strict=True)
    ]
    with tf.control_dependencies(of_kernels):  # else blocks wait for them, and keep their taps
        shared = tf.concat([layer.matrix[:, :before] for layer in block], 0)
        earlier += tf.matmul(shared, taps, transpose_a=True)
    return earlier, list(zip(of_kernels, of_biases, strict=True))


class Canvas:
    """Where padded images lie: row below row, of all planes and images, as one axis of pixels.

    A map is ``(B, Y, X)`` or ``(B, Z, Y, X)``; *painted*, it is one row of a matrix ``(maps, pixels)``.

    Parameters
    ----------
    images : Tensor, (B, ..., C)
    margin : int
        Pixels before and behind each axis in space; no dilation is larger.
    padding : str
        A key of `MODES`.
    """

    def __init__(self, images: tf.Tensor, margin: int, padding: str) -> None:
        self.rank = len(images.shape) - 2
        self.margin = margin
        self.padding = padding
        self.shape = tf.shape(images, tf.int64)[:-1]
        self.width = self.shape[-1]
        before = tf.constant([0, *[margin] * self.rank], tf.int64)
        behind = before + tf.pad([self._spare()], [[self.rank, 0]])
        self.paddings = tf.pad(tf.stack([before, behind], 1), [[1, 0], [0, 0]])
        self.padded = before + self.shape + behind
        self.row = self.padded[-1]
        self.length = tf.reduce_prod(self.padded)
        # From a pixel to the one below and, in volumes, to that of the next plane.
        self.steps = [tf.reduce_prod(self.padded[axis:]) for axis in range(2, self.rank + 1)]
        self.border = margin * tf.add_n(self.steps)
        self._name_sizes()

    def _spare(self) -> tf.Tensor:
        """Count the pixels that make rows begin at multiples of `ALIGNMENT`, where a mirror has as many."""
        spare = -(self.width + 2 * self.margin) % ALIGNMENT
        return tf.where(self.margin + spare < self.width, spare, 0)

    def _name_sizes(self) -> None:
        """Compute once what every layer needs: the graph is half as large, and sooner traced."""
        self.first = self.paddings[:, 0]
        self.size = tf.concat([[-1], self.shape], 0)
        self.unrolled = cache(lambda maps: tf.concat([[maps], self.padded], 0))
        self.whole = tf.stack([self.length])
        self.inner = tf.stack([self.length - 2 * self.border])
        self.below = 2 * self.border // self.row
        self.as_rows = tf.stack([-1, self.row])
        self.as_columns = tf.stack([-1, self.width])
        self.gapped = tf.concat([self.padded[:-1], [self.width]], 0)
        self.origin = tf.zeros_like(self.shape)
        self.gaps = tf.stack([self.origin, self.gapped - self.shape], 1)
        self.foot = tf.stack([[0, self.below], [0, 0]])
        self.rows = cache(self._rows)
        self.columns = cache(self._columns)

    def _rows(self, dilation: int) -> list[tuple[tf.Tensor, tf.Tensor]]:
        """Where the pieces of a painted map begin that the rows of a kernel read and, mirrored, write."""
        shifts = itertools.product((-dilation, 0, dilation), repeat=self.rank - 1)
        pixels = [tf.add_n([n * step for n, step in zip(each, self.steps, strict=True)]) for each in shifts]
        return [(tf.stack([self.border + each]), tf.stack([self.border - each])) for each in pixels]

    def _columns(self, dilation: int) -> list[tuple[tf.Tensor, tf.Tensor]]:
        """Where the columns of a kernel read, and the padding that puts there what they write."""
        begins = (self.margin - dilation, self.margin, self.margin + dilation)
        return [
            (
                tf.constant([0, begin], tf.int64),
                tf.stack([[self.below, 0], [begin, self.row - self.width - begin]]),
            )
            for begin in begins
        ]

    def painted(self, maps: tf.Tensor, padding: str | None = None) -> tf.Tensor:
        """Pad ``(maps, B, ...)`` and lay it out as ``(maps, pixels)``."""
        padded = tf.pad(maps, self.paddings, MODES[padding or self.padding])
        return tf.reshape(padded, [maps.shape[0], -1])

    def painted_gradient(self, rows: tf.Tensor) -> tf.Tensor:
        """Turn the gradient of what `painted` made into that of what it took."""
        if self.padding == "zeros":
            return self.lifted(rows)
        padded = tf.reshape(rows, self.unrolled(rows.shape[0]))
        return tf.raw_ops.MirrorPadGrad(input=padded, paddings=self.paddings, mode=MODES[self.padding])

    def lifted(self, rows: tf.Tensor) -> tf.Tensor:
        """Cut ``(maps, B, ...)`` out of ``(maps, pixels)``, without the padding."""
        return tf.slice(tf.reshape(rows, self.unrolled(rows.shape[0])), self.first, self.size)

    def gathered(self, products: Sequence[Sequence[tf.Tensor]], dilation: int) -> tf.Tensor:
        """Add, at each pixel, what the taps of a kernel have there: the sum is the convolution, ``(B, ...)``.

        Each of `products` has ``(pixels,)`` for each tap, and taps beside each other differ along rows alone.
        """
        sums = []
        for column, (begin, _) in enumerate(self.columns(dilation)):
            pieces = [
                tf.slice(tap, read, self.inner)
                for taps in products
                for tap, (read, _) in zip(taps[column::3], self.rows(dilation), strict=True)
            ]
            rows = tf.reshape(tf.add_n(pieces), self.as_rows)
            sums.append(tf.slice(rows, begin, self.as_columns))
        # What lies between images comes along, but for what would come after the last.
        rows = tf.pad(tf.add_n(sums), self.foot)
        return tf.slice(tf.reshape(rows, self.gapped), self.origin, self.shape)

    def scattered(self, of_sum: tf.Tensor, dilation: int) -> list[tf.Tensor]:
        """Undo `gathered` as its gradient does: ``(pixels,)`` for each tap, zero where it read nothing."""
        rows = tf.reshape(tf.pad(of_sum, self.gaps), self.as_columns)
        columns = [tf.reshape(tf.pad(rows, padding), [-1]) for _, padding in self.columns(dilation)]
        return [tf.slice(column, write, self.whole) for _, write in self.rows(dilation) for column in columns]


def _channels_first(images: tf.Tensor) -> tf.Tensor:
    axes = len(images.shape)
    return tf.transpose(images, [axes - 1, *range(axes - 1)])


def _channels_last(maps: tf.Tensor) -> tf.Tensor:
    return tf.transpose(maps, [*range(1, len(maps.shape)), 0])
