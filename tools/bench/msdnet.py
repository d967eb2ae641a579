"""The mixed-scale dense network and the tunable U-Net against dlsia's, and against Keras' own layers.

    python tools/bench/msdnet.py [--peer PYTHON] [--rounds 5] [--threads 1] [--cases "MSDNet 40/15, 256"]

With one thread times are processor seconds, which a busy machine changes little; with more they are seconds.
Each contender lives in a process of its own. They take turns, and a ratio is the median of all rounds.
Memory is the peak of two training steps, above what the framework takes when it is imported. dlsia may live
in another environment, whose interpreter is --peer: ``pip install dlsia torch``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from contest import Contender, Work, contend, in_turns

CLASSES = 4
MEGABYTE = 1e6
IMPORT = "import dlsia.core.networks.msdnet, dlsia.core.networks.tunet"

Build = Callable[[], tuple[Work, Work]]
"""Makes a training step and an inference."""


class Case(NamedTuple):
    """Layers and largest dilation of an MSDNet, or levels and first filters of a U-Net; side of the image."""

    network: str
    first: int
    second: int
    side: int


CASES = {
    "MSDNet 40/15, 256": Case("msdnet", 40, 15, 256),
    "MSDNet 40/15, 512": Case("msdnet", 40, 15, 512),
    "MSDNet 100/10, 256": Case("msdnet", 100, 10, 256),
    "U-Net 4/32/2, 256": Case("tunable_unet", 4, 32, 256),
}


def data(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw an image ``(1, Y, X, 1)`` and its classes ``(1, Y, X)``."""
    rng = np.random.default_rng(0)
    return rng.random((1, side, side, 1), np.float32), rng.integers(0, CLASSES, (1, side, side))


def ours(case: Case, **changes: object) -> Build:
    """Our network with our optimiser; `changes` are keys of its section."""
    from kerasseg.models.msdnet import msdnet
    from kerasseg.models.tunable_unet import tunable_unet
    from kerasseg.recipe.models import Msdnet, TunableUnet
    from kerasseg.training.keras_speedups import Adam, renewed

    def build() -> tuple[Work, Work]:
        import tensorflow as tf  # after kerasseg, which sets its switches

        if case.network == "msdnet":
            section = Msdnet(layers=case.first, max_dilation=case.second, padding="zeros", **changes)
        else:
            section = TunableUnet(levels=case.first, base_filters=case.second, **changes)
        builder = {"msdnet": msdnet, "tunable_unet": tunable_unet}[case.network]
        model = builder((None, None, 1), CLASSES, **section.arguments | {"activation": "softmax"})
        optimizer = renewed(Adam(1e-3), model.trainable_variables)
        model.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=False)
        forward = tf.function(lambda x: model(x, training=False))
        x, y = map(tf.constant, data(case.side))
        return lambda: model.train_on_batch(x, y), lambda: forward(x).numpy()

    return build


def dlsia(case: Case, normalise: bool, wide: bool = False) -> Build:
    """Build dlsia's network of the same size, by its own defaults but for the normalisation.

    Its U-Net spreads by transposed convolutions of two pixels. If `wide` they have three, as in the paper and
    in ours, which are 5 % more multiplications.
    """
    import torch
    from dlsia.core.networks.msdnet import MixedScaleDenseNetwork
    from dlsia.core.networks.tunet import TUNet

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

    def build() -> tuple[Work, Work]:
        changes = {} if normalise else {"normalization": None}
        if case.network == "msdnet":
            sizes = {"num_layers": case.first, "max_dilation": case.second}
            model = MixedScaleDenseNetwork(1, CLASSES, **sizes, **changes)
        else:
            model = TUNet((case.side, case.side), 1, CLASSES, case.first, case.second, **changes)
        for name, layer in list(model.named_children()) if wide else ():
            if isinstance(layer, torch.nn.ConvTranspose2d):
                sizes = {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1}
                setattr(model, name, torch.nn.ConvTranspose2d(layer.in_channels, layer.out_channels, **sizes))
        optimizer = torch.optim.Adam(model.parameters(), 1e-3)
        image, truth = data(case.side)
        x, y = torch.from_numpy(image.transpose(0, 3, 1, 2)), torch.from_numpy(truth)

        def step() -> None:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model.train()(x), y).backward()
            optimizer.step()

        def infer() -> None:
            with torch.inference_mode():
                torch.softmax(model.eval()(x), 1)  # ours answers with probabilities

        return step, infer

    return build


CONTENDERS = {
    "msdnet": {
        "kerasseg": ours,
        "kerasseg, fast: false": lambda case: ours(case, fast=False),
        "dlsia": lambda case: dlsia(case, normalise=True),
        "dlsia, no normalisation": lambda case: dlsia(case, normalise=False),
    },
    "tunable_unet": {
        "kerasseg": ours,
        "kerasseg, batch": lambda case: ours(case, normalisation="batch"),
        "dlsia": lambda case: dlsia(case, normalise=True),
        "dlsia, no normalisation": lambda case: dlsia(case, normalise=False),
        "dlsia, of three pixels": lambda case: dlsia(case, normalise=False, wide=True),
    },
}


def memory(line: str) -> float:
    """Read bytes of this process from Linux: VmRSS, what it holds, or VmHWM, what it held at most."""
    status = dict(each.split(":", 1) for each in Path("/proc/self/status").read_text().splitlines())
    return float(status[line].split()[0]) * 1024


def compete(case: Case, name: str) -> None:
    """Be a contender."""
    clock = time.process_time if os.environ["OMP_NUM_THREADS"] == "1" else time.perf_counter
    build = CONTENDERS[case.network][name](case)
    imported, began = memory("VmRSS"), clock()
    step, infer = build()
    step()
    first = clock() - began
    step()
    peak = memory("VmHWM") - imported
    infer()
    contend({"step": step, "infer": infer}, json.dumps([first, peak / MEGABYTE]), clock)


def contest(title: str, threads: int, peer: str | None, rounds: int) -> None:
    """Let all contenders at a case take turns, and print their table."""
    limits = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    os.environ.update(dict.fromkeys(limits, str(threads)))
    names = [name for name in CONTENDERS[CASES[title].network] if peer or "dlsia" not in name]
    interpreters = [peer if "dlsia" in name else sys.executable for name in names]
    contenders = [
        Contender([__file__, "--cases", title, "--contend", name], interpreter)
        for name, interpreter in zip(names, interpreters, strict=True)
    ]
    told = np.array([json.loads(contender.told) for contender in contenders])
    times = in_turns(contenders, ("step", "infer"), rounds)
    for contender in contenders:
        contender.process.stdin.close()
        contender.process.wait()
    show(f"{title}, threads: {threads}", names, told, times)


def show(title: str, names: list[str], told: np.ndarray, times: np.ndarray) -> None:
    """Print a table; `told` is (contenders, [first step, peak]), `times` (rounds, contenders, works)."""
    from rich.table import Table

    from kerasseg.console import console

    works = ("step, ms", "inference, ms", "peak memory, MB", "first step, s")
    table = Table(*([""] + [heading for work in works for heading in (work, "ratio")]), title=title)
    medians, ratios = np.median(times, axis=0) * 1e3, np.median(times[:, :1] / times, axis=0)
    for name, milliseconds, ratio, (first, peak) in zip(names, medians, ratios, told, strict=True):
        cells = [f"{value:.0f}" for value in (*milliseconds, peak)] + [f"{first:.1f}"]
        against = [*ratio, told[0, 1] / peak, told[0, 0] / first]
        row = (text for cell, other in zip(cells, against, strict=True) for text in (cell, f"{other:.3f}"))
        table.add_row(name, *row)
    console.print(table)


def imports(peer: str) -> bool:
    """Say whether an interpreter has dlsia, and why not where it has not."""
    tried = subprocess.run([peer, "-c", IMPORT], capture_output=True, text=True, check=False)
    if tried.returncode:
        print(f"dlsia is left out, {peer} does not import it: {tried.stderr.strip().splitlines()[-1]}")
    return not tried.returncode


def main() -> None:
    """Print a table for every case and number of threads."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--peer", default=sys.executable, help="an interpreter that has dlsia")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    arguments.add_argument("--contend", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.contend:
        compete(CASES[given.cases[0]], given.contend)
        return
    peer = given.peer if imports(given.peer) else None
    for threads in given.threads:
        for title in given.cases:
            contest(title, threads, peer, given.rounds)
    print("a ratio is that of kerasseg's number to the contender's: below 1, kerasseg takes less")


if __name__ == "__main__":
    main()
