"""The verbs `kerasseg data ...`: synthetic data, and stacks that are matched."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from kerasseg.cli.verbs import example

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
synthesize = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
app.add_typer(synthesize, name="synthesize", **example("data synthesize golgi data/golgi"))

NewFolder = Annotated[
    Path, typer.Argument(metavar="OUT", help="The folder to write; it must be new or empty.")
]
Seed = Annotated[int, typer.Option(help="Random seed; the same seed writes the same files.")]


@app.callback()
def data() -> None:
    """Make synthetic data; match one stack to another."""


@synthesize.callback()
def about() -> None:
    """Draw images with their annotations, marked as SYNTHETIC."""


@synthesize.command(**example("data synthesize golgi data/golgi --size 60 512 512"))
def golgi(
    out: NewFolder,
    volumes: Annotated[int, typer.Option(help="How many volumes to draw.")] = 6,
    size: Annotated[
        tuple[int, int, int], typer.Option(metavar="Z Y X", help="Size of a volume in voxels.")
    ] = (60, 192, 192),
    seed: Seed = 0,
    masks_only: Annotated[
        bool, typer.Option("--masks-only", help="Draw other pairs of masks, and no images.")
    ] = False,
) -> None:
    """Draw volumes of nuclei and their Golgi, with masks and pairs."""
    _synthesize("golgi", out, volumes=volumes, size=size, seed=seed, masks_only=masks_only)


@synthesize.command(**example("data synthesize cells data/cells --images 60"))
def cells(
    out: NewFolder,
    images: Annotated[int, typer.Option(help="How many images to draw.")] = 48,
    size: Annotated[tuple[int, int], typer.Option(metavar="Y X", help="Size of an image in pixels.")] = (
        520,
        704,
    ),
    seed: Seed = 0,
) -> None:
    """Draw phase-contrast images of cells, in Kaggle's layout."""
    _synthesize("cells", out, images=images, size=size, seed=seed)


@synthesize.command(**example("data synthesize slide data/slide --size 7162 10231"))
def slide(
    out: NewFolder,
    size: Annotated[tuple[int, int], typer.Option(metavar="Y X", help="Size of the slide in pixels.")] = (
        1536,
        2048,
    ),
    seed: Seed = 0,
) -> None:
    """Draw a fluorescence slide of nuclei, with its labels."""
    _synthesize("slide", out, size=size, seed=seed)


Intensities = Annotated[
    list[int] | None, typer.Option(help="An intensity not to count; repeat the option for each.")
]


@app.command(**example("data match stack.tif reference.tif matched.ome.tif --leave-out 0"))
def match(
    stack: Annotated[Path, typer.Argument(help="An image or a volume of 8 or 16 bits.")],
    reference: Annotated[Path, typer.Argument(help="Another of the same type.")],
    out: Annotated[Path, typer.Argument(help="NAME.ome.tif or .ome.zarr; gets NAME.histograms.svg too.")],
    per_slice: Annotated[bool, typer.Option("--per-slice", help="Match each slice by itself.")] = False,
    leave_out: Intensities = None,
    mask: Annotated[
        Path | None, typer.Option(help="A mask of STACK, whose pixels of 255 are not counted.")
    ] = None,
    reference_mask: Annotated[
        Path | None, typer.Option(help="A mask of REFERENCE, whose pixels of 255 are not counted.")
    ] = None,
    axes: Annotated[
        str | None, typer.Option(help="Axes of files that do not name them, such as ZYX.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
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


def _synthesize(kind: str, out: Path, **options) -> None:
    import_module(f"kerasseg.synthetic.{kind}").synthesize(out, **options)
    typer.echo(f"wrote SYNTHETIC {kind}: {out}")
