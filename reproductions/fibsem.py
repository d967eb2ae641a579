"""Tables 1 and 2 of the paper on sub-nuclear structures, and its networks on slices of other tissue.

    python reproductions/fibsem.py data/em                                 # what kerasseg does
    python reproductions/fibsem.py data/em --dlsia dlsia-venv/bin/python   # beside it, the paper's library

Gupta et al., Deep learning-based identification of sub-nuclear structures in FIB-SEM images, 2022.
``data/em`` holds ``vnc_sstem`` (doi:10.6084/m9.figshare.856713: for tests, not for sale) and
``isbi2012_membrane``, each with image/z00.png ... z09.png and mask/z00.png ... Slices z00 to z06 are learnt
from, one of which watches; z07 is a gap that nobody sees; z08 and z09 are for the test. Everything is
trained once, into ``runs/fibsem_*`` and ``sweeps/fibsem_*``, on one thread in about an hour; further
arguments are laid over all recipes. dlsia's networks are trained by its own function, with its own defaults,
on the same slices with our learning rate and size of batches, for as many processor seconds as the whole run
beside it took, scores and report included.

What differs: nobody has the paper's nuclei, so its losses (in hundredths) and scores cannot be held against
ours; its parameters can, to the last one. Table 1 is of nucleolus and chromosome, Table 2 of all its
classes; ours of membrane, mitochondrion and synapse, and glia is what the paper's exterior is, ignored. It
trained for 200 epochs on a GPU at a rate of 0.1 (recipes/fibsem_unet.yaml); our sweep is 30 steps, to
compare settings and not to end well, with batch normalisation, another loss and a rate of 0.001. Its micro
F1 is the share of right pixels, averaged over batches; ours pools the test's pixels. Its slices were shared
out at random, neighbours included.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from trained import DASH, PROCESSOR, RUNS, WIDTH, kerasseg, processor_seconds, trained

from kerasseg.images import files
from kerasseg.metrics import confusion
from kerasseg.metrics.confusion import Confusion
from kerasseg.recipe import load
from kerasseg.recipe.models import TunableUnet

LEARNT, TESTED = range(7), (8, 9)  # slices; the one between them is the gap
PREPARED = Path("data/fibsem")
STAGES = ("bodies", "contacts", "membranes")  # of recipes/fibsem_cascade.yaml
SETTINGS = ("Table 1", "Table 2", "ours")
SCORES = ("training\nloss", "validation\nloss", "micro\nF1")


class Published(NamedTuple):
    """A column of Tables 1 and 2: losses in hundredths, micro F1."""

    levels: int
    base_filters: int
    growth_rate: float
    parameters: float  # millions
    two_classes: tuple[float, float, float]  # training loss, validation loss, F1
    all_classes: tuple[float, float, float]

    @property
    def sizes(self) -> tuple[str, ...]:
        """The setting as the sweep's table has it."""
        return str(self.levels), str(self.base_filters), str(self.growth_rate)


TABLES = (
    Published(4, 32, 2.0, 2.14, (2.86, 3.19, 0.902), (3.617, 3.99, 0.766)),
    Published(4, 64, 2.0, 8.56, (2.94, 3.30, 0.902), (3.55, 3.97, 0.769)),
    Published(4, 64, 1.5, 2.57, (2.97, 3.42, 0.896), (3.89, 4.11, 0.7445)),
    Published(5, 32, 2.0, 8.63, (2.73, 3.40, 0.898), (3.82, 3.88, 0.781)),
    Published(5, 64, 2.0, 34.51, (2.78, 3.45, 0.904), (3.41, 3.87, 0.781)),
)


class Tissue(NamedTuple):
    """Slices that anybody can have."""

    folder: str
    classes: tuple[str, ...]
    seeds: tuple[int, ...]

    @property
    def root(self) -> Path:
        """The folder that `prepare` makes, in which slices for the test lie apart."""
        return PREPARED / self.folder

    @property
    def overrides(self) -> list[str]:
        """What every recipe of ours is told of them."""
        values = {"background": 0, **{name: n + 1 for n, name in enumerate(self.classes)}, "ignore": 255}
        source = {"root": str(self.root), "images": "image", "masks": "mask", "values": values}
        return [
            f"data.source={json.dumps({'images_masks': source})}",
            f"data.classes={json.dumps(self.classes)}",
            "data.split={test_where: {folder: image/test}, validation: 0.14}",
            "train.precision=float32",
            "export.saved_model=false",
        ]


NERVE_CORD = Tissue("vnc_sstem", ("membrane", "mitochondrion", "synapse"), seeds=(1, 2))
MEMBRANES = Tissue("isbi2012_membrane", ("membrane",), seeds=(1,))

SIZES = ("levels", "base_filters", "growth_rate")
SWEPT = [
    *("model.tunable_unet.levels=4,5", "model.tunable_unet.base_filters=32,64"),
    "model.tunable_unet.growth_rate=2.0,1.5",
    *("data.resize=[512, 512]", "data.patch.size=128"),
    *("train.batch_size=2", "train.epochs=2", "train.steps_per_epoch=15"),
]
SHORT = ["data.patch.size=192", "train.batch_size=2", "train.epochs=6", "train.steps_per_epoch=64"]
MSDNET = {"msdnet": {"activation": "softmax", "layers": 40, "max_dilation": 15}}
OURS = {
    "U-Net 4/16/2": ["model.tunable_unet.base_filters=16", "train.optimizer.adam.learning_rate=0.002"],
    "MSDNet 40/15": [
        f"model={json.dumps(MSDNET)}",
        "train.optimizer.adam.learning_rate=0.01",
        "data.patch.size=128",
        "train.steps_per_epoch=144",
    ],
}
"""The recipe em_unet for about a minute; the MSDNet, slow to begin, has more and smaller steps."""
TUNET = {
    "network": "tunet",
    "arguments": {"depth": 4, "base_channels": 16},
    "learning_rate": 1e-3,
    "patch": 192,
    "steps_per_epoch": 40,
}
MSD = {
    "network": "msdnet",
    "arguments": {"num_layers": 40, "max_dilation": 15},
    "learning_rate": 1e-2,
    "patch": 128,
    "steps_per_epoch": 30,
}
THEIRS = {
    "U-Net 4/16/2": {
        "dlsia": {**TUNET, "loss": "cross_entropy"},
        "dlsia, our loss": {**TUNET, "loss": "combo"},
    },
    "MSDNet 40/15": {"dlsia": {**MSD, "loss": "cross_entropy"}},
}


@dataclass
class Result:
    """What a network came to on the test slices.

    Attributes
    ----------
    counts : Confusion
        Pixels of both slices by true and predicted class, background first.
    """

    network: str
    seed: int
    parameters: int
    seconds: float | None
    classes: Sequence[str]
    counts: Confusion

    def cells(self) -> list[str]:
        """Write a row of the table."""
        by_name = dict(zip(("interior", *self.classes), confusion.f1(self.counts), strict=True))
        columns = ("interior", *NERVE_CORD.classes)
        scores = [by_name.get(name) for name in columns]
        scores += [float(average(self.counts)) for average in confusion.AVERAGES.values()]
        seconds = DASH if self.seconds is None else f"{self.seconds:.0f}"
        return [str(self.seed), f"{self.parameters:,}", seconds, *map(shown, scores)]


def prepare(tissue: Tissue, data: Path) -> None:
    """Copy the slices that are learnt from and those for the test into folders of their own."""
    for kind in ("image", "mask"):
        for part, numbers in {"learn": LEARNT, "test": TESTED}.items():
            folder = tissue.root / kind / part
            folder.mkdir(parents=True, exist_ok=True)
            for number in numbers:
                shutil.copy(data / tissue.folder / kind / f"z{number:02}.png", folder)


def ours(tissue: Tissue, network: str, seed: int, overrides: Sequence[str]) -> tuple[Result, dict[str, Any]]:
    """Train the recipe em_unet with a network, unless that is done, and give its scores and its run."""
    name = f"fibsem_{tissue.folder}_{network.split()[0].lower().replace('-', '')}_{seed}"
    changes = [*tissue.overrides, *SHORT, *OURS[network], f"seed={seed}", *overrides]
    run = trained(name, "em_unet", changes)
    counts = Confusion(np.array(run["metrics"]["test"]["confusion"]))
    parameters = run["model"]["parameters"]
    return Result(network, seed, parameters, run["processor_s"], tissue.classes, counts), run


def dlsia(
    tissue: Tissue, network: str, way: str, seed: int, run: Mapping[str, Any], interpreter: str
) -> Result:
    """Train dlsia's network for as long as a run of ours took, on its slices, unless that is done."""
    out = Path(f"{run['folder'].parent}_{way.replace(', ', '_').replace(' ', '_')}")
    if not (out / "figures.json").is_file():
        with (run["folder"] / "split.csv").open(encoding="utf-8") as file:
            images = defaultdict(list)
            for row in csv.DictReader(file):
                images[row["part"]].append(row["image"])
        task = {
            **THEIRS[network][way],
            "batch_size": 2,
            "classes": len(tissue.classes) + 1,
            "seconds": run["processor_s"] or run["metrics"]["times"]["training_s"],
            "seed": seed,
            **{part: [[image, mask_of(image)] for image in images[part]] for part in ("train", "validation")},
            "test": images["test"],
            "out": str(out),
        }
        script = Path(__file__).with_name("fibsem_dlsia.py")
        subprocess.run([interpreter, str(script), json.dumps(task)], check=True)
    figures = json.loads((out / "figures.json").read_text())
    truth = tissue.root / "mask" / "test"
    counts = [
        confusion.confusion(
            files.read_values(truth / mask.name), files.read_values(mask), len(tissue.classes)
        )
        for mask in sorted(out.glob("*.png"))
    ]
    title = f"{network}, {way}"
    seconds, pooled = figures["processor_s"], confusion.pooled(counts)
    return Result(title, seed, figures["parameters"], seconds, tissue.classes, pooled)


def mask_of(image: str) -> str:
    """Name the mask of a prepared slice."""
    path = Path(image)
    return str(path.parents[2] / "mask" / path.parent.name / path.name)


def sweep(overrides: Sequence[str]) -> dict[tuple[str, ...], dict[str, str]]:
    """Sweep the paper's settings, or go on with that; give the rows of its table by setting."""
    name = "fibsem_sweep"
    kerasseg("sweep", "em_unet", f"name={name}", *NERVE_CORD.overrides, *SWEPT, *overrides)
    with Path(f"sweeps/{name}/table.csv").open(encoding="utf-8") as file:
        return {tuple(row[key] for key in SIZES): row for row in csv.DictReader(file)}


def cascade(tissue: Tissue, seed: int, overrides: Sequence[str]) -> Result:
    """Train the paper's three classifiers, each for a third of em_unet's epochs, unless that is done."""
    name = f"fibsem_{tissue.folder}_cascade_{seed}"
    folder = RUNS / name
    if processor_seconds(folder) is None:
        single = load("em_unet", [*tissue.overrides, *SHORT, *OURS["U-Net 4/16/2"], *overrides]).dump()
        single["train"]["epochs"] //= len(STAGES)
        data = {key: single["data"][key] for key in ("source", "normalise", "patch", "split", "augment")}
        changes = {"seed": seed, **{key: single[key] for key in ("model", "loss", "train")}}
        changes |= {f"data.{key}": value for key, value in data.items()}
        staged = [
            f"stages.{stage}.recipe.{key}={json.dumps(value)}"
            for stage in STAGES
            for key, value in changes.items()
        ]
        seconds = kerasseg("run", "fibsem_cascade", f"name={name}", "baseline=null", *staged)
        (folder / PROCESSOR).write_text(json.dumps(seconds))
    test = json.loads((folder / "metrics.json").read_text())["test"]
    models = [json.loads(path.read_text()) for path in folder.glob("*/*/model.json")]
    parameters = sum(model["parameters"] for model in models)
    counts = Confusion(np.array(test["confusion"]))
    return Result(
        "three U-Nets 4/16/2", seed, parameters, processor_seconds(folder), list(test["classes"]), counts
    )


def compared(tissue: Tissue, interpreter: str | None, overrides: Sequence[str]) -> Table:
    """Train everything on a tissue, and lay it out, a row each."""
    table = Table(
        "network", "seed", "parameters", "processor, s", title=f"{tissue.folder}, F1 of two test slices"
    )
    for column in ("interior", *NERVE_CORD.classes, *confusion.AVERAGES):
        table.add_column(column.removeprefix("f1_").replace("_", "\n"), justify="right")
    for seed in tissue.seeds:
        for network in OURS:
            result, run = ours(tissue, network, seed, overrides)
            table.add_row(network, *result.cells(), style="bold")
            for way in THEIRS[network] if interpreter else ():
                other = dlsia(tissue, network, way, seed, run, interpreter)
                table.add_row(other.network, *other.cells())
        if len(tissue.classes) > 1:
            result = cascade(tissue, seed, overrides)
            table.add_row(result.network, *result.cells(), style="bold")
    return table


def paper(rows: Mapping[str, Mapping[str, str]]) -> Table:
    """Put the rows of our sweep beside the paper's tables."""
    table = Table("setting", title="Tables 1 and 2, beside our sweep", caption=__doc__.split("\n\n")[-1])
    for column in ("parameters, M", "ours", *(f"{name}\n{of}" for of in SETTINGS for name in SCORES)):
        table.add_column(column, justify="right")
    for setting in TABLES:
        row = rows[setting.sizes]
        losses = (f"{100 * float(row[column]):.4g}" for column in ("loss", "val_loss"))
        table.add_row(
            f"{setting.levels}/{setting.base_filters}/{setting.growth_rate:g}",
            *(f"{setting.parameters:.2f}", f"{parameters(setting) / 1e6:.6f}"),
            *(f"{score:.4g}" for score in (*setting.two_classes, *setting.all_classes)),
            *(*losses, f"{float(row['f1_micro']):.3f}"),
        )
    return table


def parameters(setting: Published) -> int:
    """Count the parameters of the paper's network: one channel in, four classes out, no normalisation."""
    sizes = dict(zip(SIZES, setting, strict=False))
    return TunableUnet(**sizes, activation="softmax").build((None, None, 1), 4).count_params()


def shown(score: float | None) -> str:
    """Write a score; a dash where a tissue has no such class."""
    return DASH if score is None else f"{score:.3f}"


def main() -> None:
    """Train what was not trained, and print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("data", type=Path, help="the folder that holds vnc_sstem and isbi2012_membrane")
    arguments.add_argument("--dlsia", metavar="PYTHON", help="an interpreter that has dlsia")
    arguments.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="laid over all recipes")
    given = arguments.parse_args()
    console = Console(width=WIDTH)
    for tissue in (NERVE_CORD, MEMBRANES):
        prepare(tissue, given.data)
    console.print(paper(sweep(given.overrides)))
    if not given.dlsia:
        console.print("dlsia is left out: --dlsia names no interpreter that has it", style="bold yellow")
    for tissue in (NERVE_CORD, MEMBRANES):
        console.print(compared(tissue, given.dlsia, given.overrides))


if __name__ == "__main__":
    main()
