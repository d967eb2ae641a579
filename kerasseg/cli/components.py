"""The verbs `kerasseg components` and `kerasseg measure`: objects of masks, and what is measured of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kerasseg.errors import UserError

Classes = Annotated[list[str] | None, typer.Option(help="The name of the next class; repeat it.")]
Only = Annotated[list[str] | None, typer.Option(metavar="CLASS", help="Number only this class; repeat it.")]
Smallest = Annotated[
    list[str] | None, typer.Option(metavar="[CLASS=]N", help="Drop objects of fewer than N voxels.")
]
Largest = Annotated[list[str] | None, typer.Option(metavar="[CLASS=]N", help="Keep the N largest objects.")]
InPlanes = Annotated[bool, typer.Option("--in-2d", help="Drop small ones in each plane, not in 3-D.")]
PixelSize = Annotated[str | None, typer.Option(metavar="Z,Y,X", help="Size of a voxel in micrometres.")]


def components(
    mask: Annotated[Path, typer.Argument(help="Class ids: an image or a volume of any size.")],
    out: Annotated[
        Path, typer.Argument(help="Labels, NAME.ome.tif or .ome.zarr; beside them NAME.objects.csv.")
    ],
    classes: Classes = None,
    only: Only = None,
    min_size: Smallest = None,
    largest: Largest = None,
    in_2d: InPlanes = False,
    connectivity: Annotated[
        int | None, typer.Option(help="6, 18 or 26 neighbours, in 2-D 4 or 8; all by default.")
    ] = None,
    grey: Annotated[Path | None, typer.Option(help="The image that --delta is about.")] = None,
    delta: Annotated[int | None, typer.Option(help="Connect grey values that differ by no more.")] = None,
    pixel_size: PixelSize = None,
    axes: Annotated[str | None, typer.Option(help="Axes where files do not say, such as ZYX.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Number a mask's objects by size, and measure them."""
    from kerasseg.commands.components import cleaning, components

    names = classes or []
    kept = cleaning(names, only=only or (), smallest=min_size or (), largest=largest or (), in_planes=in_2d)
    components(
        mask,
        out,
        kept,
        classes=names,
        connectivity=connectivity,
        grey=grey,
        delta=delta,
        pixel_size=_lengths(pixel_size),
        axes=axes,
        overwrite=overwrite,
    )


def measure(
    paths: Annotated[list[Path], typer.Argument(metavar="LABELS [IMAGES] [OUT]", hidden=True)],
    classes: Annotated[
        list[str] | None,
        typer.Option(help="Class of the objects, or of the next channel; repeat it."),
    ] = None,
    pixel_size: Annotated[
        str | None,
        typer.Option(metavar="Y,X", help="Size of a pixel in micrometres; in 3-D Z,Y,X."),
    ] = None,
    exclude_border: Annotated[
        bool, typer.Option("--exclude-border", help="Leave out objects that touch the border.")
    ] = False,
    axes: Annotated[str | None, typer.Option(help="Axes where files do not say, such as ZYX.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Measure objects: a table of them, and one of their images.

    LABELS is a file of numbered objects or a folder of such files, IMAGES the image or the folder of images
    whose intensities are measured, OUT the table, NAME.csv or NAME.parquet ("objects.csv" by default), with
    NAME.images.csv beside it.
    """
    from kerasseg.commands.measure import measure
    from kerasseg.postprocess.table import SUFFIXES

    *inputs, out = paths if paths[-1].suffix in SUFFIXES else [*paths, Path("objects.csv")]
    if len(inputs) not in (1, 2):
        raise UserError(
            f"{' '.join(map(str, paths))}: expected LABELS [IMAGES] [OUT], OUT ending in .csv or .parquet"
        )
    labels, images = (*inputs, None)[:2]
    measure(
        labels,
        images,
        out,
        classes=classes or (),
        pixel_size=_lengths(pixel_size),
        exclude_border=exclude_border,
        axes=axes,
        overwrite=overwrite,
    )


def _lengths(pixel_size: str | None) -> tuple[float, ...]:
    try:
        return tuple(map(float, pixel_size.split(","))) if pixel_size else ()
    except ValueError:
        raise UserError(f"--pixel-size {pixel_size}: expected Z,Y,X in micrometres") from None
