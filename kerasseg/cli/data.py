"""The verbs `kerasseg data ...`: synthetic data, and stacks that are matched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kerasseg.cli.verbs import example

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
synthesize = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
app.add_typer(synthesize, name="synthesize", **example("data synthesize golgi data/golgi"))

NewFolder = Annotated[Path, typer.Argument(metavar="OUT", help="A folder that is new or empty.")]
Seed = Annotated[int, typer.Option(help="The same seed writes the same files.")]


@app.callback()
def data() -> None:
    """Make synthetic data; match one stack to another."""


@synthesize.callback()
def about() -> None:
    """Draw images with their truth; they stay marked as SYNTHETIC."""


@synthesize.command(**example("data synthesize golgi data/golgi --size 60 512 512"))
def golgi(
    out: NewFolder,
    volumes: Annotated[int, typer.Option(help="How many.")] = 6,
    size: Annotated[tuple[int, int, int], typer.Option(metavar="Z Y X", help="In voxels.")] = (60, 192, 192),
    seed: Seed = 0,
    masks_only: Annotated[bool, typer.Option("--masks-only", help="Other pairs, without images.")] = False,
) -> None:
    """Draw volumes of nuclei and Golgi, with masks and pairs."""
    _synthesize("golgi", out, volumes=volumes, size=size, seed=seed, masks_only=masks_only)


@synthesize.command(**example("data synthesize cells data/cells --images 60"))
def cells(
    out: NewFolder,
    images: Annotated[int, typer.Option(help="How many.")] = 48,
    size: Annotated[tuple[int, int], typer.Option(metavar="Y X", help="In pixels.")] = (520, 704),
    seed: Seed = 0,
) -> None:
    """Draw phase-contrast images of cells, in Kaggle's layout."""
    _synthesize("cells", out, images=images, size=size, seed=seed)


@synthesize.command(**example("data synthesize slide data/slide --size 7162 10231"))
def slide(
    out: NewFolder,
    size: Annotated[tuple[int, int], typer.Option(metavar="Y X", help="In pixels.")] = (1536, 2048),
    seed: Seed = 0,
) -> None:
    """Draw a fluorescence slide of nuclei, with their labels."""
    _synthesize("slide", out, size=size, seed=seed)


Intensities = Annotated[list[int] | None, typer.Option(help="An intensity not to count; repeat it.")]


@app.command(**example("data match stack.tif reference.tif matched.ome.tif --leave-out 0"))
def match(
    stack: Annotated[Path, typer.Argument(help="An image or a volume of 8 or 16 bits.")],
    reference: Annotated[Path, typer.Argument(help="Another of the same type.")],
    out: Annotated[Path, typer.Argument(help="NAME.ome.tif or .ome.zarr; gets NAME.histograms.svg too.")],
    per_slice: Annotated[bool, typer.Option("--per-slice", help="Match each slice by itself.")] = False,
    leave_out: Intensities = None,
    mask: Annotated[Path | None, typer.Option(help="Its pixels of 255 are not counted.")] = None,
    reference_mask: Annotated[Path | None, typer.Option(help="The same of the reference.")] = None,
    axes: Annotated[str | None, typer.Option(help="Axes where files do not say, such as ZYX.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Bring a stack to the histogram of another."""
    from kerasseg.commands.match import match

    match(
        stack,
        reference,
        out,
        per_slice=per_slice,
        leave_out=leave_out or (),
        mask=mask,
        reference_mask=reference_mask,
        axes=axes,
        overwrite=overwrite,
    )


def _synthesize(what: str, out: Path, **how) -> None:
    from kerasseg.synthetic.synthesizers import SYNTHESIZERS

    SYNTHESIZERS[what](out, **how)
    typer.echo(f"wrote SYNTHETIC {what}: {out}")
