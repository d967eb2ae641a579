"""How good and how fast a model is in int8 beside what it is in full, both by OpenVINO.

    python tools/bench/int8.py nuclei-2d data/nuclei_dsb2018 [--rounds 15]

The model is quantised by the training part of annotated images, if ``kerasseg quantise`` has not done so
here, and scored on their test part: those of a shipped model are split as when it learnt. Then both answer
for one tile in turns; a ratio is the median of the rounds' ratios. ``taskset -c 0`` gives both one core.
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
from kerasseg.inference.tiling import round_up
from kerasseg.runs import rundirectory
from kerasseg.segmenter import read_spec
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
    folders = {"full": home / openvino.FOLDER, "int8": home / int8.FOLDER}
    networks = [openvino.compiled(folder / openvino.NETWORK) for folder in folders.values()]
    times = np.array([[timed(network, tile) for network in networks] for _ in range(1 + given.rounds)])[1:]
    show(facts, times)


def show(facts: dict, times: np.ndarray) -> None:
    """Print scores, medians and ratios; `times` is (rounds, networks, 2)."""
    table = Table("", "class: Dice", "PQ", "ms", "ratio", "of processors, ms", "ratio", "MB")
    medians, ratios = np.median(times, axis=0) * 1e3, np.median(times / times[:, :1], axis=0)
    for name, (wall, cpu), (longer, dearer) in zip(facts["scores"], medians, ratios, strict=True):
        scores = facts["scores"][name]
        dice = ", ".join(f"{of}: {found['dice']:.4f}" for of, found in scores.items() if "dice" in found)
        pq = ", ".join(f"{found['pq']:.4f}" for found in scores.values() if "pq" in found)
        size = f"{facts['bytes'][name] / 1e6:.1f}"
        table.add_row(name, dice, pq, f"{wall:.0f}", f"{longer:.2f}", f"{cpu:.0f}", f"{dearer:.2f}", size)
    console.print(table)


if __name__ == "__main__":
    main()
