"""What a model costs: parameters and arithmetic block by block, memory, and time."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from kerasseg.models.mixed_scale_dense import MixedScaleDense

BLOCK = re.compile(r"stem|block\d+|top|encoder\d+|residual\d+|gate\d+|decoder\d+|head")
OUTPUT_BLOCK = "head"
FLOAT32 = 4  # bytes
MEGABYTE = 1e6
PATIENCE = 5.0  # seconds

_TRANSPOSED = (layers.Conv2DTranspose, layers.Conv3DTranspose)
_COUNTED = (layers.Conv2D, layers.Conv3D, layers.DepthwiseConv2D, layers.Dense, *_TRANSPOSED)

Shape = tuple[int, ...]


class Placed(NamedTuple):
    """A layer, or a bare operation, and the shape of what it makes of one image of a given size."""

    layer: keras.Operation
    given: Shape | list[Shape]
    made: Shape


class Block(NamedTuple):
    """What the layers of one block add up to."""

    block: str
    layers: int
    parameters: int
    flops: int


class Memory(NamedTuple):
    """Bytes that a training step holds, in float32."""

    weights: int
    optimizer: int
    activations: int


def blocks(model: keras.Model, size: tuple[int, ...]) -> list[Block]:
    """Add layers up by the block that their names begin with.

    Parameters
    ----------
    model : keras.Model
        Functional; its spatial axes may be None.
    size : tuple of int
        Spatial axes of the image, such as (height, width).

    Returns
    -------
    list of Block
        In the order in which the image meets them: stem, block1 ... block7, top, decoder0, gate0, ..., head.
    """
    rows: dict[str, Block] = {}
    for placed in _place(model, size):
        if not isinstance(placed.layer, layers.Layer):
            continue  # an operation has neither weights nor a name of ours
        name = block_name(placed.layer.name)
        _, count, parameters, operations = rows.get(name, Block(name, 0, 0, 0))
        parameters += placed.layer.count_params()
        rows[name] = Block(name, count + 1, parameters, operations + _flops(placed))
    return list(rows.values())


def block_name(layer: str) -> str:
    """Name the block of a layer: ``block2a_expand_conv`` is in ``block2``, what has no prefix in the head."""
    found = BLOCK.match(layer)
    return found.group() if found else OUTPUT_BLOCK


def flops(model: keras.Model, size: tuple[int, ...]) -> int:
    """Count the floating-point operations of one image through all convolutions and dense layers.

    A multiplication and its addition are two operations. Biases, normalisations, activations and resampling
    are left out, as is usual: together they are a few per cent.

    Parameters
    ----------
    model : keras.Model
        Functional; its spatial axes may be None.
    size : tuple of int
        Spatial axes of the image, such as (height, width).

    Returns
    -------
    int
    """
    return sum(map(_flops, _place(model, size)))


def memory(model: keras.Model, size: tuple[int, ...], batch: int) -> Memory:
    """Estimate what a training step with Adam holds in memory, in float32.

    Parameters
    ----------
    model : keras.Model
    size : tuple of int
        Spatial axes of the image.
    batch : int
        Images a step.

    Returns
    -------
    Memory
        The weights; Adam's two slots for each trainable one; every layer's output, of which a framework that
        fuses or recomputes layers keeps less. Gradients and the framework itself come on top.
    """
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    made = sum(map(_held, _place(model, size)))
    return Memory(FLOAT32 * model.count_params(), FLOAT32 * 2 * trainable, FLOAT32 * batch * made)


def latency(forward: Callable[[np.ndarray], object], shape: Shape, repeats: int = 10) -> float:
    """Time one call.

    Parameters
    ----------
    forward : callable
        From a float32 array in [0, 1] to anything that NumPy can read.
    shape : tuple of int
        Of the array, batch axis first.
    repeats : int
        Calls timed at most, after one that is not; fewer, where they take more than `PATIENCE` together.

    Returns
    -------
    float
        Median in seconds.
    """
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    np.asarray(forward(image))
    seconds = [_seconds(forward, image)]
    while len(seconds) < repeats and sum(seconds) < PATIENCE:
        seconds.append(_seconds(forward, image))
    return float(np.median(seconds))


def describe(
    model: keras.Model,
    size: tuple[int, ...],
    *,
    batch: int,
    forward: Callable[[np.ndarray], object] | None = None,
) -> dict:
    """Sum a model up, as `model.json` keeps it.

    Parameters
    ----------
    model : keras.Model
    size : tuple of int
        Spatial axes of the image.
    batch : int
        Images a training step, for the memory.
    forward : callable, optional
        What to time on one image; nothing is timed without it.

    Returns
    -------
    dict
        `name`, `size`, `parameters`, `flops`, `batch`, `memory_mb`, `latency_ms` (or None) and `blocks`.
    """
    rows = blocks(model, size)
    shape = (1, *size, model.input.shape[-1])
    return {
        "name": model.name,
        "size": list(size),
        "parameters": model.count_params(),
        "flops": sum(row.flops for row in rows),
        "batch": batch,
        "memory_mb": sum(memory(model, size, batch)) / MEGABYTE,
        "latency_ms": 1000 * latency(forward, shape) if forward else None,
        "blocks": [row._asdict() for row in rows],
    }


def _place(model: keras.Model, size: tuple[int, ...]) -> Iterator[Placed]:
    """Send the shape of one image through the graph, in the order in which Keras keeps it."""
    shapes = {id(image): (1, *size, image.shape[-1]) for image in model.inputs}
    for operation in model.operations:
        if not isinstance(operation, layers.InputLayer):
            given = keras.tree.map_structure(lambda tensor: shapes[id(tensor)], operation.input)
            shapes[id(operation.output)] = made = _made(operation, given)
            yield Placed(operation, given, made)


def _made(operation: keras.Operation, given: Shape | list[Shape]) -> Shape:
    if isinstance(operation, layers.Layer):
        return tuple(operation.compute_output_shape(given))
    return tuple(operation.compute_output_spec(keras.KerasTensor(given)).shape)


def _held(placed: Placed) -> int:
    """Count the numbers of a layer's output, and of what else it holds in a training step."""
    maps = placed.layer.held_maps if isinstance(placed.layer, MixedScaleDense) else 0
    return math.prod(placed.made[:-1]) * (placed.made[-1] + maps)


def _flops(placed: Placed) -> int:
    """Two operations for each weight of the kernel, at each place where the kernel is laid."""
    if isinstance(placed.layer, MixedScaleDense):
        return (
            2 * math.prod(placed.made[1:-1]) * sum(math.prod(kernel.shape) for kernel in placed.layer.kernels)
        )
    if not isinstance(placed.layer, _COUNTED):
        return 0
    places = placed.given if isinstance(placed.layer, _TRANSPOSED) else placed.made
    return 2 * math.prod(places[1:-1]) * math.prod(placed.layer.kernel.shape)


def _seconds(forward: Callable[[np.ndarray], object], image: np.ndarray) -> float:
    begin = time.perf_counter()
    np.asarray(forward(image))
    return time.perf_counter() - begin
