"""The verbs `kerasseg compact` and `kerasseg expand`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kerasseg.errors import UserError

Force = Annotated[bool, typer.Option("--force", help="Start again, and replace existing results.")]


def compact(
    images: Annotated[Path, typer.Argument(help="An image or a folder of them; with --show a .kpt file.")],
    out: Annotated[
        Path | None, typer.Argument(help="A folder for .kpt files; with --show a .csv or .geojson.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="hybrid, grey, pursuit, zhang_suen, guo_hall, canny, brightest, lattice, bitmap, network."
        ),
    ] = None,
    points: Annotated[str | None, typer.Option(help="How many: a number, or a share such as 3%.")] = None,
    ssim: Annotated[
        float | None, typer.Option(help="The least likeness, 0 to 1: takes as many points as it needs.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="The run whose network chooses, with --method network.")
    ] = None,
    axes: Annotated[str | None, typer.Option(help="Axes where files do not say, such as ZYX.")] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Compare with codecs, and write a page, OUT/compact.html.")
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="List the points of a file instead.")] = False,
    force: Force = False,
) -> None:
    """Keep few points of an image, by what suits it or --method."""
    if show:
        if method or points or ssim or run or axes or report:
            raise UserError("--show lists points that are there; leave the other options out")
        from kerasseg.commands.expand import show as show_points

        return show_points(images, out, force=force)
    if out is None:
        raise UserError("OUT is missing: name the folder for the files of key points")
    from kerasseg.commands.compact import compact

    wanted = {"method": method, "points": points, "ssim": ssim, "run": run}
    compact(images, out, **wanted, axes=axes, report=report, force=force)


def expand(
    files: Annotated[Path, typer.Argument(help="A .kpt file, or a folder of them.")],
    out: Annotated[Path, typer.Argument(help="The folder for the images.")],
    region: Annotated[
        str | None, typer.Option(metavar="Y0:Y1,X0:X1", help="Only this part; with planes Z0:Z1 before.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="png or tiff; by default PNG where it can hold the image.")
    ] = None,
    force: Force = False,
) -> None:
    """Build images again from their key points."""
    from kerasseg.commands.expand import expand

    expand(files, out, region=region, to=to, force=force)
