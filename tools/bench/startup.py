"""How long the command line takes to answer, beside Python alone and an import of TensorFlow.

    python tools/bench/startup.py
    python tools/bench/startup.py --predict   # one small image, with and without TensorFlow; needs OpenVINO

Whole processes take turns, in seconds by the clock and of the processor, which a busy machine disturbs less.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

MAIN = "from kerasseg.cli import main; main()"
COMMANDS = {
    "python, nothing": ["pass"],
    "kerasseg --help": [MAIN, "--help"],
    "kerasseg schema": [MAIN, "schema"],
    "kerasseg convert --help": [MAIN, "convert", "--help"],
    "kerasseg check, a mistake": [MAIN, "check", "sartorius_linknet", "train.epohs=1"],
    "import tensorflow": ["import tensorflow"],
}


def seconds(command: list[str]) -> tuple[float, float]:
    """Time one process from its start to its end: by the clock, and of the processor."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", *command], capture_output=True)
    took, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def predictions(folder: Path) -> dict[str, list[str]]:
    """Make a run of a LinkNet-B0 with random weights that keeps its network, and an image of 256 x 256."""
    import keras

    from kerasseg.images import files
    from kerasseg.inference import openvino
    from kerasseg.recipe.models import Linknet
    from kerasseg.segmenter import load_trained

    sys.path.append(str(Path(__file__).parents[2] / "tests"))
    from specs import tiling, write_run

    keras.utils.set_random_seed(0)
    model = Linknet(encoder_weights=None).build((None, None, 3), 1)
    write_run(folder / "run", model, channels=3, stride=(32, 32), tiling=tiling(tile=256, overlap=32))
    print(openvino.summary(openvino.keep(model, load_trained(folder / "run")[0], folder / "run")))
    files.write(folder / "a.png", np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8))
    given = ["predict", str(folder / "run"), str(folder / "a.png")]
    return {
        f"kerasseg predict --engine {engine}": [
            MAIN,
            *given,
            str(folder / engine),
            "--force",
            "--engine",
            engine,
        ]
        for engine in ("tensorflow", "openvino")
    }


def main() -> None:
    """Time each command in interleaved rounds, and print medians and ratios to the first."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--predict", action="store_true", help="time predictions of one image")
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        commands = predictions(Path(folder)) if given.predict else COMMANDS
        times = np.array([[seconds(command) for command in commands.values()] for _ in range(given.rounds)])
    medians, ratios = np.median(times, axis=0), np.median(times / times[:, :1], axis=0)
    print(f"{'median':36}{'seconds':>9}{'ratio':>8}{'processor':>11}{'ratio':>8}")
    for name, (took, cost), (longer, dearer) in zip(commands, medians, ratios, strict=True):
        print(f"{name:36}{took:9.3f}{longer:8.2f}{cost:11.3f}{dearer:8.2f}")


if __name__ == "__main__":
    main()
