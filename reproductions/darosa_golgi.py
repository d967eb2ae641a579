"""Tables 5.1 to 5.6 of the thesis on nuclei and Golgi, with our own runs of its engines beside them.

    python reproductions/darosa_golgi.py train.epochs=40 train.steps_per_epoch=20 train.batch_size=2

da Rosa, Deep Learning Methods for the Segmentation of Fluorescent Microscopy Images, MSc thesis. Arguments
are laid over the recipes; each engine is trained once, into ``runs/darosa_*``.

Its scores are means over two test volumes, which are not ours: without real ones our runs draw SYNTHETIC
volumes. It trained for 66 min (U-Net), 74 min (Vox2Vox) and 28.6 h (CycleGAN), and predicted its two test
volumes in 35 s.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from trained import DASH, WIDTH, trained

SCORES = ("dice", "precision", "recall")
CLASSES = ("nuclei", "golgi", "pair")


class Published(NamedTuple):
    """A row of the tables: scores of nuclei, Golgi and, in the three-class task, pairs."""

    model: str
    dice: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]


TABLE = (
    Published("3-D U-Net, raw", (0.4497, 0.3054), (0.2912, 0.1842), (0.9895, 0.9186)),
    Published("3-D U-Net, stretched", (0.7775, 0.6938), (0.7067, 0.6500), (0.8692, 0.7683)),
    Published(
        "3-D U-Net, three classes",
        (0.7916, 0.6752, 0.7601),
        (0.7589, 0.5935, 0.6941),
        (0.8278, 0.8206, 0.8403),
    ),
    Published("Vox2Vox", (0.7539, 0.6883), (0.6529, 0.7078), (0.8933, 0.6917)),
    Published(
        "Vox2Vox, three classes", (0.7464, 0.6720, 0.7198), (0.7170, 0.6596, 0.6763), (0.7784, 0.7204, 0.7721)
    ),
    Published("CycleGAN, supervised", (0.7612, 0.6545), (0.6894, 0.6004), (0.8528, 0.7450)),
    Published("CycleGAN, unsupervised", (0.7664, 0.6427), (0.6903, 0.5468), (0.8629, 0.8038)),
    Published(
        "CycleGAN, three classes",
        (0.7261, 0.5942, 0.6999),
        (0.7174, 0.5874, 0.6711),
        (0.7366, 0.6133, 0.7314),
    ),
)
RECIPES = {
    "3-D U-Net, raw": ("golgi_unet3d", ["data.normalise=dtype"]),
    "3-D U-Net, stretched": ("golgi_unet3d", []),
    "Vox2Vox": ("golgi_vox2vox", []),
    "CycleGAN, unsupervised": ("golgi_cyclegan", []),
}


def main() -> None:
    """Train what was not trained, and print the table."""
    table = Table(title="Tables 5.1 to 5.6, beside our own runs", caption=__doc__.split("\n\n")[-1])
    table.add_column("engine")
    for score in SCORES:
        for name in CLASSES:
            table.add_column(f"{score}\n{name}", justify="right")
    warnings: list[str] = []
    for published in TABLE:
        theirs = {score: dict(zip(CLASSES, getattr(published, score), strict=False)) for score in SCORES}
        table.add_row(f"{published.model} (thesis)", *figures(theirs))
        if published.model in RECIPES:
            recipe, overrides = RECIPES[published.model]
            name = "darosa_" + recipe.removeprefix("golgi_") + ("_raw" if overrides else "")
            run = trained(name, recipe, [*overrides, *sys.argv[1:]])
            warnings += run["warnings"]
            scored = run["metrics"].get("test_original_size") or run["metrics"]["test"]
            ours = {
                score: {of: scores[f"{score}_per_image"] for of, scores in scored["classes"].items()}
                for score in SCORES
            }
            table.add_row(f"{run['folder']} (ours)", *figures(ours), style="bold")
    console = Console(width=WIDTH)
    console.print(table)
    for warning in dict.fromkeys(warnings):
        console.print(f"FALLBACK: {warning}", style="bold yellow", markup=False)


def figures(scores: dict[str, dict[str, float]]) -> list[str]:
    """Write the scores of each class; a dash for a class that a row does not have."""
    return [
        f"{scores[score][name]:.4f}" if name in scores[score] else DASH
        for score in SCORES
        for name in CLASSES
    ]


if __name__ == "__main__":
    main()
