"""How good and how fast a model is in int8 by OpenVINO, beside what it is in full by OpenVINO and TensorFlow.

    python tools/bench/int8.py nuclei-2d data/nuclei_dsb2018 [--rounds 15]

The model is quantised by the training part of annotated images, if ``kerasseg quantise`` has not done so
here, and scored on their test part: those of a shipped model are split as when it learnt. Then all three
answer for one tile in turns; a ratio is the median of the rounds' ratios. ``taskset -c 0`` gives them one
core.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.table import Table
from serving import timed

from kerasseg.commands.quantise import quantise
from kerasseg.console import console
from kerasseg.inference import int8, openvino
from kerasseg.inference.forward import forward
from kerasseg.inference.tiling import round_up
from kerasseg.runs import rundirectory
from kerasseg.segmenter import load_trained, read_spec
from kerasseg.spec import ModelSpec


def tile_of(spec: ModelSpec) -> np.ndarray:
    """Make a tile of noise as the model wants it."""
    sides = np.broadcast_to(spec.tiling.tile, spec.rank).tolist()
    size = (round_up(side, step) for side, step in zip(sides, spec.stride, strict=True))
    return np.random.default_rng(0).random((1, *size, spec.channels), np.float32)


def main() -> None:
    """Quantise where that was not done, let both take turns, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("run", type=Path, help="a run, or the name of a shipped model")
    arguments.add_argument("data", type=Path, help="annotated images, laid out as those of its recipe")
    arguments.add_argument("--rounds", type=int, default=15)
    given = arguments.parse_args()
    spec, home = read_spec(given.run), rundirectory.existing(given.run).results
    if not openvino.is_whole(home / int8.FOLDER, spec.weights):
        quantise(given.run, given.data)
    facts, tile = openvino.kept(home / int8.FOLDER, spec.weights), tile_of(spec)
    ways = {
        "full": openvino.compiled(home / openvino.FOLDER / openvino.NETWORK),
        "int8": openvino.compiled(home / int8.FOLDER / openvino.NETWORK),
        "tensorflow": forward(load_trained(given.run)[1]),
    }
    times = np.array([[timed(way, tile) for way in ways.values()] for _ in range(1 + given.rounds)])[1:]
    show(facts, list(ways), times)


def show(facts: dict, names: list[str], times: np.ndarray) -> None:
    """Print scores, medians and ratios to the first; `times` is (rounds, ways, 2)."""
    table = Table("", "Dice", "PQ", "ms", "ratio", "of processors, ms", "ratio", "MB")
    medians, ratios = np.median(times, axis=0) * 1e3, np.median(times / times[:, :1], axis=0)
    for name, (wall, cpu), (longer, dearer) in zip(names, medians, ratios, strict=True):
        classes = facts["scores"].get(name, {}).values()  # TensorFlow's are those in full
        dice, pq = (
            ", ".join(f"{of[score]:.4f}" for of in classes if score in of) for score in ("dice", "pq")
        )
        size = f"{facts['bytes'][name] / 1e6:.1f}" if name in facts["bytes"] else ""
        table.add_row(name, dice, pq, f"{wall:.0f}", f"{longer:.2f}", f"{cpu:.0f}", f"{dearer:.2f}", size)
    console.print(table)


if __name__ == "__main__":
    main()
