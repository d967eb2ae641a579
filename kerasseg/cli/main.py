"""The program `kerasseg` and the verbs that stand alone."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from kerasseg import __version__
from kerasseg.cli import cascade, components, data, label, recipes
from kerasseg.cli.verbs import (
    Interrupted,
    Overrides,
    RecipeFile,
    Verbs,
    example,
    load_recipe,
    start_tensorflow,
)
from kerasseg.errors import UserError

# Each command imports what it needs when it is called: help must not wait for TensorFlow.

app = typer.Typer(
    cls=Verbs,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example:  kerasseg run recipes/sartorius_linknet.yaml train.epochs=5",
)

app.add_typer(cascade.app, name="cascade", **example("cascade run cascade.yaml"))
app.add_typer(label.app, name="label", **example("label crop recipes/cfos_curate.yaml"))
app.add_typer(data.app, name="data", **example("data synthesize golgi data/golgi"))
app.add_typer(recipes.app, name="recipes", **example("recipes copy sartorius_linknet"))

RESULT_FORMATS = "png, tiff, zarr; labelme, coco, geojson, imagej."

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, such as runs/NAME/1.")]
Tolerance = Annotated[float, typer.Option(help="Pixels by which an outline may move.")]


def _existing(path: Path) -> Path:
    """Answer a path that is no run before TensorFlow starts."""
    from kerasseg.runs.rundirectory import existing

    return existing(path).path


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kerasseg {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")]


@app.callback()
def kerasseg(
    version: Version = False,
) -> None:
    """Segment microscopy images: annotate in labelme, write a recipe, run it."""


@app.command(**example("run recipes/sartorius_linknet.yaml train.epochs=5"))
def run(
    recipe: RecipeFile,
    overrides: Overrides = None,
    directory: Annotated[Path, typer.Option(help="Where runs are kept.")] = Path("runs"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the last run of this recipe.")] = False,
) -> None:
    """Train, score, predict, export and report, as a recipe says."""
    recipe = load_recipe(recipe, overrides)
    start_tensorflow()
    if recipe.label:
        from kerasseg.commands.label import turn as run
    else:
        from kerasseg.commands.train import run

    run(recipe, directory=directory, resume=resume)


@app.command(**example("sweep phase_unet model.unet.levels=3,4 train.epochs=5"))
def sweep(
    recipe: RecipeFile,
    overrides: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=A,B",
            help="Values to try, separated by commas; LOW..HIGH in a search; one value holds for all.",
        ),
    ],
    directory: Annotated[Path, typer.Option(help="Folder in which sweeps are kept.")] = Path("sweeps"),
    search: Annotated[
        str, typer.Option(help="grid trains all combinations; tpe and random choose --trials of them.")
    ] = "grid",
    trials: Annotated[int | None, typer.Option(min=1, help="Number of trials of a search.")] = None,
    objective: Annotated[
        str, typer.Option(help="Column of history.csv by which trials are judged.")
    ] = "val_loss",
    storage: Annotated[
        str | None, typer.Option(help="URL of a database that Optuna uses instead of a journal file.")
    ] = None,
) -> None:
    """Train a recipe with many settings and compare them."""
    start_tensorflow()
    from kerasseg.commands.sweep import sweep

    sweep(
        recipe,
        overrides,
        directory=directory,
        search=search,
        trials=trials,
        objective=objective,
        storage=storage,
    )


@app.command(**example("check recipes/sartorius_linknet.yaml data.source.sartorius.root=data/mine"))
def check(recipe: RecipeFile, overrides: Overrides = None) -> None:
    """Validate a recipe and its data; say what a run takes."""
    recipe = load_recipe(recipe, overrides)
    from kerasseg.commands.check import check

    check(recipe)


@app.command(**example("inspect recipes/sartorius_unet.yaml model.unet.attention=false"))
def inspect(
    target: Annotated[str, typer.Argument(metavar="RECIPE|MODEL", help="A recipe, a .keras file or a run.")],
    overrides: Overrides = None,
) -> None:
    """Show a model's blocks, parameters, FLOPs and latency."""
    path = Path(target)
    inspected = path if path.is_dir() or path.suffix == ".keras" else load_recipe(target, overrides)
    if overrides and inspected is path:
        raise UserError(f"{path}: overrides change a recipe, and this is a model; got {' '.join(overrides)}")
    start_tensorflow()
    from kerasseg.commands.inspect import inspect

    inspect(inspected)


@app.command(**example("evaluate runs/sartorius_linknet/1 --threshold 0.4"))
def evaluate(
    run: RunFolder,
    threshold: Annotated[float | None, typer.Option(help="Instead of the recipe's.")] = None,
) -> None:
    """Score a run's model on its test images again."""
    run = _existing(run)
    start_tensorflow()
    from kerasseg.commands.evaluate import evaluate

    evaluate(run, threshold=threshold)


@app.command(**example("predict runs/cells/1 slides/ results/ --what labels"))
def predict(
    paths: Annotated[list[Path], typer.Argument(metavar="[RUN] IMAGES [OUT]", hidden=True)],
    what: Annotated[str, typer.Option(help="mask, labels or probabilities; stages of a cascade.")] = "mask",
    to: Annotated[str | None, typer.Option(help=RESULT_FORMATS)] = None,
    server: Annotated[str | None, typer.Option(help="grpc://HOST:8500/NAME or rest://HOST:8501/NAME")] = None,
    engine: Annotated[str | None, typer.Option(help="tensorflow, or openvino on a CPU.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Of a Dask cluster: tcp://HOST:8786")] = None,
    tile: Annotated[int | None, typer.Option(help="Instead of the recipe's, as the next five.")] = None,
    overlap: Annotated[str | None, typer.Option(help="Pixels on each side of a tile, or auto.")] = None,
    blend: Annotated[str | None, typer.Option(help="crop, gaussian, hann or constant.")] = None,
    padding: Annotated[str | None, typer.Option(help="inside, reflect, edge or zero.")] = None,
    tta: Annotated[str | None, typer.Option(help="none, flips or d4.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Of a class.")] = None,
    axes: Annotated[str | None, typer.Option(help="Where files do not say, such as ZYX.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Start over, and replace what is there.")] = False,
) -> None:
    """Segment images by a run or a cascade; killed, the same command goes on. --server needs no RUN."""
    tiles = {"tile": tile, "overlap": overlap, "blend": blend, "padding": padding, "tta": tta}
    if not server and paths and cascade.is_trained(paths[0]):
        refused = {"scheduler": scheduler, "threshold": threshold, **tiles}
        how = {"what": what, "to": to, "axes": axes, "force": force, "engine": engine}
        return cascade.predict(paths[0], *_images_and_out(paths[1:]), refused=refused, **how)
    computing = {"--engine": engine, "--scheduler": scheduler}
    if server and (beside := " ".join(f"{option} {given}" for option, given in computing.items() if given)):
        raise UserError(f"{beside}: the server computes; leave it out, or leave --server out")
    runs = [] if server else [_existing(path) for path in paths[:1]]
    images, out = _images_and_out(paths[len(runs) :])
    start_tensorflow()
    from kerasseg.commands.predict import predict
    from kerasseg.inference.backends import TENSORFLOW
    from kerasseg.segmenter import Segmenter

    segmenter = Segmenter.connect(server) if server else Segmenter.load(*runs, engine=engine or TENSORFLOW)
    tiles["overlap"] = int(overlap) if overlap and overlap.isdecimal() else overlap
    how = {"what": what, "to": to, "threshold": threshold, "axes": axes, "force": force}
    predict(segmenter, images, out, scheduler=scheduler, **how, **tiles)


def _images_and_out(paths: list[Path]) -> tuple[Path, Path]:
    if len(paths) not in (1, 2):
        raise UserError(f"{' '.join(map(str, paths)) or 'nothing'}: expected IMAGES and where results go")
    return (*paths, Path("predictions"))[:2]


@app.command(**example("export runs/sartorius_linknet/1 served/cells"))
def export(
    run: RunFolder,
    out: Annotated[Path | None, typer.Argument(help="Gets the next version; RUN/export by default.")] = None,
) -> None:
    """Write a run's model as a SavedModel for raw images."""
    run = _existing(run)
    start_tensorflow()
    from kerasseg.commands.export import export

    export(run, out)


@app.command(**example("report runs/sartorius_linknet/1"))
def report(run: RunFolder) -> None:
    """Write a run's page, report.html, from the run's own files."""
    from kerasseg.report import page

    typer.echo(f"wrote {page.write(_existing(run))}")


@app.command(**example("convert labelme masks drawn/ masks/ --classes cell"))
def convert(
    read_as: Annotated[
        str, typer.Argument(metavar="FROM", help="labelme, masks, labels, coco, rle, geojson or imagej.")
    ],
    write_as: Annotated[str, typer.Argument(metavar="TO", help="Another of them.")],
    source: Annotated[Path, typer.Argument(metavar="IN", help="A file or folder to read.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="A file or folder to write.")],
    classes: Annotated[list[str] | None, typer.Option(help="A class; repeat it for each.")] = None,
    values: Annotated[
        list[str] | None, typer.Option(help="A class and its number in masks, such as cell=255.")
    ] = None,
    tolerance: Tolerance = 0.5,
    crowds: Annotated[
        str, typer.Option(help="What COCO's iscrowd 1 means: a region to ignore, or objects.")
    ] = "ignore",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
) -> None:
    """Convert annotations; say what is lost."""
    from kerasseg.annotations.convert import CONVERSIONS
    from kerasseg.errors import unknown

    known = {name for pair in CONVERSIONS for name in pair}
    if strange := [unknown("format", name, known) for name in (read_as, write_as) if name not in known]:
        raise UserError(*strange)
    if read_as == write_as:
        raise UserError(f"{read_as} to {write_as}: nothing is to be converted; name two different formats")
    conversion, numbers = CONVERSIONS[read_as, write_as], _numbers(values)
    options = {"classes": classes or (), "values": numbers, "tolerance": tolerance}
    typer.echo(conversion(source, target, **options, crowds=crowds, overwrite=overwrite))


def _numbers(values: list[str] | None) -> dict[str, int] | None:
    """Read NAME=NUMBER."""
    pairs = [value.rpartition("=") for value in values or ()]
    wrong = [f"--values {''.join(pair)}: expected NAME=NUMBER" for pair in pairs if not pair[2].isdecimal()]
    if wrong:
        raise UserError(*wrong)
    return {name: int(number) for name, _, number in pairs} or None


app.command(**example("components mask.tif labels.ome.tif --largest 12"))(components.components)


@app.command(**example("schema > recipes/recipe.schema.json"))
def schema() -> None:
    """Print the JSON Schema of recipes, for editors."""
    import json

    from kerasseg.recipe import schema

    typer.echo(json.dumps(schema(), indent=2))


def main() -> None:
    """Run the command line; `kerasseg` on a terminal comes here."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, Interrupted.by)
    app(prog_name="kerasseg")
