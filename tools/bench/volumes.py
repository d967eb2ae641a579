"""A 3-D U-Net's training step and inference against MONAI's and plain Keras, and the memory of a whole crop.

    python tools/bench/volumes.py [--batch 1] [--rounds 3] [--filters 16] [--crop 64 627 818]

Patches are 64 x 64 x 64 voxels of two channels. Each contender lives in a process of its own; they take
turns, and a ratio is the median of the rounds' ratios. MONAI's networks join if it is installed: `UNet` has
about as many parameters, but halves the volume before its first features; `BasicUNet` computes at full size,
as ours. What our model computes is set against a product of large matrices, which is about what the processor
can do. A crop is predicted in a process of its own too, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from contest import Contender, Work, in_turns
from contest import contend as serve
from rich.table import Table

from kerasseg.console import console

SIDE, CHANNELS, CLASSES, LEVELS = 64, 2, 2, 5
WORKS = ("step", "infer")
PASSES = 3  # through a network's convolutions in a step: forth, and back for its input and for its weights
MIB = 2**20


def unet(filters: int) -> object:
    """Build ours: two convolutions a level, features at full size."""
    from kerasseg.recipe.models import Unet

    decoder = [filters * 2**level for level in reversed(range(LEVELS - 1))]
    section = Unet(encoder="plain", base_filters=filters, decoder_filters=decoder, attention=False)
    return section.build((None, None, None, CHANNELS), CLASSES)


def ours(images: np.ndarray, targets: np.ndarray, filters: int) -> tuple[Work, Work, int]:
    """Our settings: what `kerasseg run` trains and predicts with."""
    import tensorflow as tf

    from kerasseg.inference.forward import forward
    from kerasseg.recipe.train import Adam, Dice, Supervised

    model = unet(filters)
    losses = {"loss": Dice().build(), "optimizer": Adam().build()}
    engine = Supervised().build(model, **losses, threshold=0.5, activation="sigmoid", landscape=False)
    x, y, answer = tf.constant(images), tf.constant(targets), forward(model)
    return lambda: engine.train_on_batch(x, y), lambda: answer(images[:1]), model.count_params()


def plain_keras(images: np.ndarray, targets: np.ndarray, filters: int) -> tuple[Work, Work, int]:
    """The same model, Keras' Adam, TensorFlow's defaults but for XLA, which takes minutes."""
    os.environ.pop("TF_ENABLE_ONEDNN_OPTS")  # kerasseg sets it; TensorFlow itself asks the processor
    import keras
    import tensorflow as tf

    from kerasseg.recipe.train import Dice

    model = unet(filters)
    trained = keras.Model(model.inputs, model.outputs)
    trained.compile(keras.optimizers.Adam(1e-3), Dice().build(), jit_compile=False)
    forward = tf.function(lambda x: model(x, training=False))
    x, y = tf.constant(images), tf.constant(targets)
    return lambda: trained.train_on_batch(x, y), lambda: forward(x[:1]).numpy(), model.count_params()


def monai_unet(images: np.ndarray, targets: np.ndarray, filters: int) -> tuple[Work, Work, int]:
    """MONAI's residual U-Net, strided from the first convolution on."""
    from monai.networks.nets import UNet

    widths = [filters * 2**level for level in range(LEVELS)]
    return _in_torch(images, targets, UNet(3, CHANNELS, CLASSES, widths, [2] * (LEVELS - 1), num_res_units=2))


def monai_basic(images: np.ndarray, targets: np.ndarray, filters: int) -> tuple[Work, Work, int]:
    """MONAI's plain U-Net: two convolutions a level, as in ours."""
    from monai.networks.nets import BasicUNet

    widths = [filters * 2**level for level in range(LEVELS)]
    return _in_torch(images, targets, BasicUNet(3, CHANNELS, CLASSES, (*widths, filters)))


CONTENDERS = {
    "kerasseg": ours,
    "plain Keras": plain_keras,
    "MONAI UNet": monai_unet,
    "MONAI BasicUNet": monai_basic,
}


def _in_torch(images: np.ndarray, targets: np.ndarray, model: object) -> tuple[Work, Work, int]:
    import torch
    from monai.losses import DiceLoss

    optimizer, dice = torch.optim.Adam(model.parameters(), 1e-3), DiceLoss(sigmoid=True)
    x, y = (torch.from_numpy(array.astype(np.float32)).movedim(-1, 1) for array in (images, targets))
    x, y = x.contiguous(), y.contiguous()

    def step() -> None:
        optimizer.zero_grad()
        dice(model.train()(x), y).backward()
        optimizer.step()

    def infer() -> None:
        with torch.inference_mode():
            model.eval()(x[:1]).sigmoid().numpy()

    return step, infer, sum(each.numel() for each in model.parameters())


def contend(name: str, batch: int, filters: int) -> None:
    """Be a contender, which tells how many parameters it has."""
    images = np.random.default_rng(0).random((batch, SIDE, SIDE, SIDE, CHANNELS), np.float32)
    step, infer, parameters = CONTENDERS[name](images, (images > 0.5).astype(np.uint8), filters)
    step()
    infer()
    serve({"step": step, "infer": infer}, told=parameters)


def predict_crop(crop: tuple[int, ...], filters: int) -> None:
    """Predict a crop by tiles and print the peak memory in MiB: with one tile, and with the whole."""
    from kerasseg.inference.backends import Backend
    from kerasseg.inference.forward import forward
    from kerasseg.inference.tiled import predict
    from kerasseg.spec import TilingSettings

    tiles = TilingSettings(SIDE, 8, "hann", padding="inside", tta="none", batch_size=1)
    answer = forward(unet(filters))
    answer(np.zeros((1, SIDE, SIDE, SIDE, CHANNELS), np.float32))
    before = _peak()
    image = np.random.default_rng(0).random((*crop, CHANNELS), np.float32)
    probabilities = predict(image, Backend(answer), tiles, stride=32)
    print(before, _peak(), (image.nbytes + probabilities.nbytes) / MIB)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Let all take turns, predict the crop, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--batch", type=int, default=1)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--filters", type=int, default=16, help="of the first level")
    arguments.add_argument("--crop", type=int, nargs=3, default=(64, 627, 818))
    arguments.add_argument("--contend", choices=CONTENDERS, help=argparse.SUPPRESS)
    arguments.add_argument("--predict", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.contend:
        contend(given.contend, given.batch, given.filters)
    elif given.predict:
        predict_crop(tuple(given.crop), given.filters)
    else:
        seconds = compare(given.batch, given.rounds, given.filters)
        relate(seconds, given.batch, given.filters)
        weigh(given.crop, given.filters)


def compare(batch: int, rounds: int, filters: int) -> np.ndarray:
    """Let all take turns; print medians and ratios, and give the seconds of our step and inference."""
    names = [name for name in CONTENDERS if not name.startswith("MONAI") or find_spec("monai")]
    how = ("--batch", str(batch), "--filters", str(filters))
    contenders = [Contender((__file__, "--contend", name, *how)) for name in names]
    times = in_turns(contenders, WORKS, rounds)
    table = Table("", "parameters, M", "step, s", "ratio", f"inference of {SIDE}^3, s", "ratio")
    medians, ratios = np.median(times, axis=0), np.median(times[:, :1] / times, axis=0)
    for contender, name, seconds, ratio in zip(contenders, names, medians, ratios, strict=True):
        cells = (int(contender.told) / 1e6, seconds[0], ratio[0], seconds[1], ratio[1])
        table.add_row(name, *(f"{cell:.2f}" for cell in cells))
    console.print(table)
    console.print("a ratio is kerasseg's time over the contender's: below 1, kerasseg is faster")
    return medians[0]


def relate(seconds: np.ndarray, batch: int, filters: int) -> None:
    """Say what share of the processor's limit our step and our inference reach."""
    from kerasseg.models.summary import flops

    forward, limit = flops(unet(filters), (SIDE,) * 3), _limit()
    work = np.array([forward * batch * PASSES, forward])
    reached = work / seconds / 1e9
    console.print(
        f"a product of matrices reaches {limit:.0f} GFLOP/s here; our step {reached[0]:.0f} "
        f"({reached[0] / limit:.0%}), a pass back counted twice a pass forth; our inference {reached[1]:.0f} "
        f"({reached[1] / limit:.0%})"
    )


def _limit(side: int = 4096, rounds: int = 3) -> float:
    """Measure float32 operations a nanosecond of the processor's best library for products of matrices."""
    import tensorflow as tf

    a = tf.ones((side, side))
    took = []
    for _ in range(rounds):
        started = time.monotonic()
        tf.matmul(a, a).numpy()
        took.append(time.monotonic() - started)
    return 2 * side**3 / min(took) / 1e9


def weigh(crop: Sequence[int], filters: int) -> None:
    """Predict a crop in a process of its own; print what memory it took at most."""
    command = [sys.executable, __file__, "--predict", "--filters", str(filters), "--crop", *map(str, crop)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    tile, whole, arrays = map(float, done.stdout.split())
    console.print(
        f"a crop of {' x '.join(map(str, crop))} voxels: {whole:.0f} MiB at most, {whole - tile:.0f} more "
        f"than for one tile; image and answer are {arrays:.0f}"
    )


if __name__ == "__main__":
    main()
