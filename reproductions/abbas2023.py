"""Table 3 of Abbas and Abdulmunim (2023), with our own runs of its three networks beside it.

    python reproductions/abbas2023.py data.source.sartorius.root=data/sartorius

Iraqi Journal of Science 64(4), 2023, doi:10.24996/ijs.2023.64.4.37. Arguments are laid over the recipes;
each network is trained once, into ``runs/abbas2023_*``, which takes hours on a CPU.

What the paper's columns are: its "FLOPs in millions" are about twice its parameter counts, as an old
profiler gives that counts the initialisation of weights; its memory is near 12 bytes a parameter, a float32
weight and Adam's two slots. Both are worked out by these rules for our runs, and the true cost stands
beside. The paper does not say how it averaged: 2 IoU / (1 + IoU) is concave, so no mean over the same
images has a Dice above that value of its IoU, yet all three rows do. Our scores are means over images,
which come nearest to Keras' average over batches. Which images the paper tested on it does not say.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from trained import DASH, WIDTH, per_image, trained

BYTES_PER_PARAMETER = 12  # a float32 weight and Adam's two slots


class Published(NamedTuple):
    """A row of the paper's Table 3, in its own units."""

    model: str
    parameters: float  # millions
    flops: float  # millions, as printed
    latency: float  # ms
    memory: float  # MB
    iou: float  # %
    dice: float  # %

    @property
    def highest_dice(self) -> float:
        """The highest mean Dice, in %, that images of this mean IoU can have."""
        return 100 * 2 * self.iou / (100 + self.iou)


TABLE = {
    "unet_plain": Published("U-Net without gates", 32.0, 64.08, 205, 370.8, 88.2, 97.2),
    "unet": Published("U-Net with gates", 10.15, 24.3, 57, 127.3, 89.24, 95.02),
    "linknet": Published("LinkNet with gates", 6.09, 13.7, 38, 77.6, 95.47, 98.34),
}
RECIPES = {
    "unet_plain": ("sartorius_unet", ["model.unet.attention=false"]),
    "unet": ("sartorius_unet", []),
    "linknet": ("sartorius_linknet", []),
}
COLUMNS = ("parameters, M", "'FLOPs', M", "GFLOP", "speed, ms", "memory, MB", "IoU, %", "Dice, %", "highest")


def main() -> None:
    """Train what was not trained, and print the table."""
    table = Table(
        title="Table 3, beside our own runs", caption=__doc__.split("\n\n")[-1], caption_justify="left"
    )
    table.add_column("network")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    warnings: list[str] = []
    for key, published in TABLE.items():
        recipe, overrides = RECIPES[key]
        run = trained(f"abbas2023_{key}", recipe, [*overrides, *sys.argv[1:]])
        warnings += run["warnings"]
        model = run["model"]
        ours = (
            model["parameters"] / 1e6,
            2 * model["parameters"] / 1e6,
            model["flops"] / 1e9,
            model["latency_ms"],
            BYTES_PER_PARAMETER * model["parameters"] / 1e6,
            100 * per_image(run, "iou"),
            100 * per_image(run, "dice"),
        )
        theirs = (published.parameters, published.flops, None, *published[3:], published.highest_dice)
        table.add_row(f"{published.model} (paper)", *map(shown, theirs))
        table.add_row(f"{run['folder']} (ours)", *map(shown, ours), style="bold")
    console = Console(width=WIDTH)
    console.print(table)
    for warning in dict.fromkeys(warnings):
        console.print(f"FALLBACK: {warning}", style="bold yellow", markup=False)


def shown(figure: float | None) -> str:
    """Write a figure with four digits; a dash where there is none."""
    return DASH if figure is None else f"{figure:,.4g}"


if __name__ == "__main__":
    main()
