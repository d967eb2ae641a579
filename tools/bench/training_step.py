"""LinkNet-B0's training step, time to the first one, and inference, against plain Keras and PyTorch.

    python tools/bench/training_step.py [--batch 8] [--rounds 3]
    python tools/bench/training_step.py --guided [--batch 50] [--rounds 51]  # and cross-entropy alone

Each contender lives in a process of its own, since TensorFlow reads its switches when imported; they take
turns, and a ratio is the median of the rounds' ratios. segmentation_models_pytorch joins if installed.
"""

from __future__ import annotations

import argparse
import os
from functools import cache, partial
from importlib.util import find_spec

import numpy as np
from contest import Contender, Work, in_turns
from contest import contend as serve
from rich.table import Table

from kerasseg.console import console

SIZE = (256, 256)
DIGIT = (28, 28)


def linknet() -> object:
    """Build what all contenders train."""
    from kerasseg.recipe.models import Linknet

    return Linknet(encoder_weights=None).build((*SIZE, 3), 1)


def ours(images: np.ndarray, targets: np.ndarray) -> tuple[Work, Work]:
    """Our settings: what `kerasseg run` trains and predicts with."""
    import tensorflow as tf

    from kerasseg.inference.forward import forward
    from kerasseg.recipe.train import Adam, Combo, Supervised

    model = linknet()
    losses = {"loss": Combo().build(), "optimizer": Adam().build()}
    engine = Supervised().build(model, **losses, threshold=0.5, activation="sigmoid")
    x, y, answer = tf.constant(images), tf.constant(targets), cache(partial(forward, model))
    return lambda: engine.train_on_batch(x, y), lambda: answer()(images[:1])


def plain_keras(images: np.ndarray, targets: np.ndarray) -> tuple[Work, Work]:
    """The same model, Keras' Adam, TensorFlow's defaults; no XLA, whose first step takes minutes."""
    os.environ.pop("TF_ENABLE_ONEDNN_OPTS")  # kerasseg sets it; TensorFlow itself asks the processor
    import keras
    import tensorflow as tf

    from kerasseg.metrics.streaming import Dice
    from kerasseg.recipe.train import Combo

    model = linknet()
    trained = keras.Model(model.inputs, model.outputs)
    trained.compile(keras.optimizers.Adam(1e-3), Combo().build(), metrics=[Dice(1)], jit_compile=False)
    forward = tf.function(lambda x: model(x, training=False))
    x, y = tf.constant(images), tf.constant(targets)
    return lambda: trained.train_on_batch(x, y), lambda: forward(x[:1]).numpy()


def smp(images: np.ndarray, targets: np.ndarray) -> tuple[Work, Work]:
    """segmentation_models.pytorch's LinkNet-B0, eager, as its examples train it."""
    import segmentation_models_pytorch
    import torch

    model = segmentation_models_pytorch.Linknet("efficientnet-b0", encoder_weights=None, activation="sigmoid")
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    dice = segmentation_models_pytorch.losses.DiceLoss("binary", from_logits=False)
    x, y = (torch.from_numpy(array.astype(np.float32).transpose(0, 3, 1, 2)) for array in (images, targets))

    def step() -> None:
        optimizer.zero_grad()
        guess = model.train()(x)
        (dice(guess, y) + torch.nn.functional.binary_cross_entropy(guess, y)).backward()
        optimizer.step()

    def infer() -> None:
        with torch.inference_mode():
            model.eval()(x[:1])

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
        engine = Supervised().build(model, **losses)
    x, y = tf.constant(images[:, : DIGIT[0], : DIGIT[1], :1]), tf.constant(targets[:, : DIGIT[0], : DIGIT[1]])
    answer = cache(partial(forward, model))
    return lambda: engine.train_on_batch(x, y), lambda: answer()(images[:1, : DIGIT[0], : DIGIT[1], :1])


CONTENDERS = {"kerasseg": ours, "plain Keras": plain_keras, "smp": smp}
GUIDED = {"guided": partial(gunet, guided=True), "cross-entropy alone": partial(gunet, guided=False)}


def contend(name: str, batch: int) -> None:
    """Be a contender."""
    rng = np.random.default_rng(0)
    images = rng.random((batch, *SIZE, 3), np.float32)
    step, infer = (CONTENDERS | GUIDED)[name](images, (images[..., :1] > 0.5).astype(np.uint8))
    step()
    serve({"step": step, "infer": infer})


def main() -> None:
    """Let all take turns and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--batch", type=int, default=8)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--guided", action="store_true")
    arguments.add_argument("--contend", choices=CONTENDERS | GUIDED, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.contend:
        contend(given.contend, given.batch)
        return
    known = GUIDED if given.guided else CONTENDERS
    names = [name for name in known if name != "smp" or find_spec("segmentation_models_pytorch")]
    alone = [[__file__, "--contend", name, "--batch", str(given.batch)] for name in names]
    contenders = [Contender(each) for each in alone]
    works = ("step", "infer")
    for contender in contenders:
        contender.time("infer")  # traces it
    times = in_turns(contenders, works, given.rounds)
    show(names, [contender.first for contender in contenders], times)


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
