"""How long the command line takes to answer, and a training until its first step is done, stage by stage.

    export OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1
    python tools/bench/startup.py [--rounds 5] [--training]

Commands stand beside Python alone and an import of TensorFlow. The training is that of LinkNet-B0 with random
weights, batch 8, 256 x 256. Seconds are the processor's, and medians of rounds of processes of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

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
BATCH = (8, 256, 256, 3)


def commands() -> dict[str, float]:
    """Time each command, from its process's start to its end."""
    return {name: seconds([sys.executable, "-c", *command]) for name, command in COMMANDS.items()}


def seconds(command: list[str]) -> float:
    """Seconds of the processor that a command and what it starts take."""
    before = os.times()
    subprocess.run(command, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def training() -> dict[str, float]:
    """Time the stages of a training's start in a process of its own."""
    command = [sys.executable, __file__, "--first-step"]
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    return json.loads(answer.stdout.splitlines()[-1])


def first_step() -> dict[str, float]:
    """Be that process: import, build, trace and train."""
    stages: dict[str, float] = {"Python": time.process_time()}

    def stage(name: str, work: Callable[[], object]) -> object:
        began = time.process_time()
        result = work()
        stages[name] = time.process_time() - began
        return result

    stage("import of TensorFlow and Keras", _import_tensorflow)
    recipe = stage("import of recipes", _import_recipe)
    stage("import of models and training", _import_models)
    model = stage("model", lambda: recipe.models.Linknet(encoder_weights=None).build(BATCH[1:], 1))
    engine = stage("engine and optimiser", lambda: _engine(recipe, model))
    batch, step = _batch(), _compiled(engine)
    stage("trace", lambda: step.get_concrete_function(batch))
    stage("first step", lambda: step(batch))
    stage("a later step", lambda: step(batch))
    return stages


def _import_tensorflow() -> None:
    from kerasseg.startup import start_tensorflow

    start_tensorflow()
    import keras  # noqa: F401


def _import_recipe() -> object:
    import kerasseg.recipe.models
    import kerasseg.recipe.train

    return kerasseg.recipe


def _import_models() -> None:
    import kerasseg.models.linknet
    import kerasseg.training.supervised  # noqa: F401


def _engine(recipe: object, model: object) -> object:
    train = recipe.train
    losses = {"loss": train.Combo().build(), "optimizer": train.Adam().build()}
    return train.Supervised().build(model, **losses, threshold=0.5, activation="sigmoid")


def _compiled(engine: object) -> object:
    import tensorflow as tf

    return tf.function(engine.train_step)


def _batch() -> tuple[object, object]:
    import tensorflow as tf

    images = np.random.default_rng(0).random(BATCH, np.float32)
    return tf.constant(images), tf.constant((images[..., :1] > 0.5).astype(np.uint8))


def show(rounds: list[Mapping[str, float]]) -> None:
    """Print medians, and what they are to the first."""
    medians = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    first = next(iter(medians.values()))
    print(f"{'median of ' + str(len(rounds)):34}{'seconds':>9}{'ratio':>9}")
    for name, median in medians.items():
        print(f"{name:34}{median:9.3f}{median / first:9.1f}")


def main() -> None:
    """Measure in rounds, and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--training", action="store_true")
    arguments.add_argument("--first-step", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.first_step:
        print(json.dumps(first_step()))
        return
    show([training() if given.training else commands() for _ in range(given.rounds)])


if __name__ == "__main__":
    main()
