"""A network's training step, time to the first one, and inference, against plain Keras and PyTorch.

    export OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1
    python tools/bench/training_step.py linknet [--batch 8] [--rounds 3]  # LinkNet-B0, against smp's
    python tools/bench/training_step.py unet      # a plain U-Net of 16 filters, against MONAI's BasicUNet
    python tools/bench/training_step.py guided [--batch 50] [--rounds 51]  # and cross-entropy alone

Each contender lives in a process of its own, since TensorFlow reads its switches when imported; they take
turns, and a ratio is the median of the rounds' ratios. Seconds are the processor's, of all threads, or with
`--wall` those of a clock on the wall, for a machine that does nothing else. segmentation_models_pytorch,
MONAI and OpenVINO, which only answers, join if installed.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec

import numpy as np
from contest import Contender, Work, in_turns
from contest import contend as serve
from rich.table import Table

from kerasseg.console import console

SIZE = (256, 256)
DIGIT = (28, 28)
FILTERS, LEVELS = 16, 5  # of the U-Net


def linknet() -> object:
    """Build the network of the main recipe, with random weights."""
    from kerasseg.recipe.models import Linknet

    return Linknet(encoder_weights=None).build((*SIZE, 3), 1)


def unet() -> object:
    """Build a plain U-Net."""
    from kerasseg.recipe.models import Unet

    section = Unet(encoder="plain", base_filters=FILTERS, decoder_filters=None, attention=False)
    return section.build((*SIZE, 3), 1)


def ours(images: np.ndarray, targets: np.ndarray, network: Callable[[], object]) -> tuple[Work, Work]:
    """Our settings: what `kerasseg run` trains and predicts with."""
    import tensorflow as tf

    from kerasseg.inference.forward import forward
    from kerasseg.recipe.train import Adam, Combo, Supervised
    from kerasseg.training.devices import graphs_as_traced
    from kerasseg.training.loop import steps_of

    model = network()
    losses = {"loss": Combo().build(), "optimizer": Adam().build()}
    engine = Supervised().build(model, **losses, threshold=0.5, activation="sigmoid", landscape=False)
    (train_step, _), answer = steps_of(engine), cache(partial(forward, model))
    batch = tf.constant(images), tf.constant(targets)

    def step() -> float:
        with graphs_as_traced():
            return float(train_step(batch)["loss"])

    return step, lambda: answer()(images[:1])


def in_openvino(images: np.ndarray, targets: np.ndarray, network: Callable[[], object]) -> tuple[None, Work]:
    """What `kerasseg predict` answers with where a run keeps it."""
    from kerasseg.inference.openvino import on_openvino

    answer = cache(partial(on_openvino, network()))
    return None, lambda: answer()(images[:1])


def plain_keras(images: np.ndarray, targets: np.ndarray, network: Callable[[], object]) -> tuple[Work, Work]:
    """The same model, Keras' Adam, TensorFlow's defaults; no XLA, whose first step takes minutes."""
    os.environ.pop("TF_ENABLE_ONEDNN_OPTS")  # kerasseg sets it; TensorFlow itself asks the processor
    import keras
    import tensorflow as tf

    from kerasseg.metrics.streaming import Dice
    from kerasseg.recipe.train import Combo

    model = network()
    trained = keras.Model(model.inputs, model.outputs)
    trained.compile(keras.optimizers.Adam(1e-3), Combo().build(), metrics=[Dice(1)], jit_compile=False)
    forward = tf.function(lambda x: model(x, training=False))
    x, y = tf.constant(images), tf.constant(targets)
    return lambda: trained.train_on_batch(x, y), lambda: forward(x[:1]).numpy()


def smp(images: np.ndarray, targets: np.ndarray, *, layout: str, compiled: bool = False) -> tuple[Work, Work]:
    """segmentation_models.pytorch's LinkNet-B0, as its examples train it."""
    import segmentation_models_pytorch

    model = segmentation_models_pytorch.Linknet("efficientnet-b0", encoder_weights=None, activation="sigmoid")
    return in_torch(images, targets, model, layout=layout, compiled=compiled)


def monai(images: np.ndarray, targets: np.ndarray, *, layout: str) -> tuple[Work, Work]:
    """MONAI's plain U-Net of equal channels: two convolutions a level, as in ours."""
    import torch
    from monai.networks.nets import BasicUNet

    widths = [FILTERS * 2**level for level in range(LEVELS)]
    model = torch.nn.Sequential(BasicUNet(2, 3, 1, (*widths, FILTERS)), torch.nn.Sigmoid())
    return in_torch(images, targets, model, layout=layout)


def in_torch(
    images: np.ndarray, targets: np.ndarray, model: object, *, layout: str, compiled: bool = False
) -> tuple[Work, Work]:
    """Train by PyTorch: Adam, cross-entropy and Dice."""
    import torch

    layout = getattr(torch, layout)
    model = model.to(memory_format=layout)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    network = torch.compile(model) if compiled else model
    x, y = (torch.from_numpy(array.astype(np.float32).transpose(0, 3, 1, 2)) for array in (images, targets))
    x, y = x.contiguous(memory_format=layout), y.contiguous(memory_format=layout)

    def step() -> None:
        optimizer.zero_grad()
        guess = network.train()(x)
        dice = 1 - 2 * (guess * y).sum() / (guess.sum() + y.sum())
        (dice + torch.nn.functional.binary_cross_entropy(guess, y)).backward()
        optimizer.step()

    def infer() -> None:
        with torch.inference_mode():
            network.eval()(x[:1]).numpy()

    return step, infer


def gunet(images: np.ndarray, targets: np.ndarray, *, guided: bool) -> tuple[Work, Work]:
    """The U-Net of the recipe gunet_mnist: guided by budget and shape, or by cross-entropy alone."""
    import tensorflow as tf

    from kerasseg.compact.kernels import gaussian
    from kerasseg.inference.forward import forward
    from kerasseg.recipe.models import Unet
    from kerasseg.recipe.train import Adam, Bce, Guided, Supervised

    size = {"base_filters": 8, "levels": 3, "attention": False, "decoder_filters": None}
    model = Unet(encoder="plain", **size).build((*DIGIT, 1), 1)
    losses = {"loss": Bce().build(), "optimizer": Adam().build(), "threshold": 0.3, "activation": "sigmoid"}
    if guided:
        rebuilding = {"kernel": gaussian().values, "points": 20, "steps": 1}
        engine = Guided(warmup=0).build(model, **rebuilding, **losses)
    else:
        engine = Supervised().build(model, **losses, landscape=False)
    x, y = tf.constant(images[:, : DIGIT[0], : DIGIT[1], :1]), tf.constant(targets[:, : DIGIT[0], : DIGIT[1]])
    answer = cache(partial(forward, model))
    return lambda: engine.train_on_batch(x, y), lambda: answer()(images[:1, : DIGIT[0], : DIGIT[1], :1])


NETWORKS = {
    "linknet": {
        "kerasseg": partial(ours, network=linknet),
        "OpenVINO": partial(in_openvino, network=linknet),
        "plain Keras": partial(plain_keras, network=linknet),
        "smp": partial(smp, layout="contiguous_format"),
        "smp, channels last": partial(smp, layout="channels_last"),
        "smp, compiled": partial(smp, layout="channels_last", compiled=True),
    },
    "unet": {
        "kerasseg": partial(ours, network=unet),
        "OpenVINO": partial(in_openvino, network=unet),
        "plain Keras": partial(plain_keras, network=unet),
        "MONAI": partial(monai, layout="contiguous_format"),
        "MONAI, channels last": partial(monai, layout="channels_last"),
    },
    "guided": {
        "guided": partial(gunet, guided=True),
        "cross-entropy alone": partial(gunet, guided=False),
    },
}
PACKAGES = {"OpenVINO": "openvino", "smp": "segmentation_models_pytorch", "MONAI": "monai"}


def contend(network: str, name: str, batch: int, clock: Callable[[], float]) -> None:
    """Be a contender, which tells how long the processor took until the first step was done."""
    rng = np.random.default_rng(0)
    images = rng.random((batch, *SIZE, 3), np.float32)
    step, infer = NETWORKS[network][name](images, (images[..., :1] > 0.5).astype(np.uint8))
    if step is None:
        serve({"infer": infer}, told=np.nan, clock=clock)
    else:
        step()
        serve({"step": step, "infer": infer}, told=time.process_time(), clock=clock)


def main() -> None:
    """Let all take turns and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("network", choices=NETWORKS)
    arguments.add_argument("--batch", type=int, default=8)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--wall", action="store_true", help="seconds of a clock, not of the processor")
    arguments.add_argument("--contend", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.contend:
        clock = time.perf_counter if given.wall else time.process_time
        contend(given.network, given.contend, given.batch, clock)
        return
    names = [name for name in NETWORKS[given.network] if find_spec(PACKAGES.get(name.split(",")[0], "numpy"))]
    how = (__file__, given.network, "--batch", str(given.batch), *["--wall"] * given.wall, "--contend")
    contenders = [Contender((*how, name)) for name in names]
    works = ("step", "infer")
    for contender in contenders:
        contender.time("infer")  # traces it
    times = in_turns(contenders, works, given.rounds)
    show(names, [float(contender.told) for contender in contenders], times)


def show(names: list[str], first: list[float], times: np.ndarray) -> None:
    """Print medians and ratios to the first contender; `times` is (rounds, contenders, works) in seconds."""
    table = Table("", "first step ready, s", "ratio", "step, s", "ratio", "inference of one, ms", "ratio")
    medians, ratios = np.median(times, axis=0), np.median(times[:, :1] / times, axis=0)
    for name, ready, (step, infer), (faster, inferred) in zip(names, first, medians, ratios, strict=True):
        cells = (ready, first[0] / ready, step, faster, infer * 1e3, inferred)
        table.add_row(name, *(f"{cell:.2f}" for cell in cells))
    console.print(table)
    console.print(f"a ratio is the time of {names[0]} over the contender's: below 1, {names[0]} is faster")


if __name__ == "__main__":
    main()
