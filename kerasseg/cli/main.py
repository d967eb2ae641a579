"""The program `kerasseg` and the verbs that stand alone."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from kerasseg import __version__
from kerasseg.annotations.formats import FORMATS, OUTLINES, PIXELS, any_of
from kerasseg.cli import cascade, compact, components, data, label, recipes
from kerasseg.cli.verbs import (
    Interrupted,
    Json,
    Overrides,
    Quiet,
    RecipeFile,
    Verbs,
    example,
    load_recipe,
    speaking,
)
from kerasseg.errors import UserError
from kerasseg.startup import start_tensorflow

# Each command imports what it needs when it is called: help must not wait for TensorFlow.

app = typer.Typer(
    cls=Verbs,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example:  kerasseg run recipes/sartorius_linknet.yaml train.epochs=5",
)

app.add_typer(label.app, name="label", **example("label crop recipes/cfos_curate.yaml"))
app.add_typer(data.app, name="data", **example("data synthesize golgi data/golgi"))
app.add_typer(recipes.app, name="recipes", **example("recipes copy sartorius_linknet"))

RunFolder = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="A run's folder, such as runs/NAME/1, or a shipped model."),
]
RunsFolder = Annotated[
    Path, typer.Option(help="The folder that holds all runs; this one gets DIRECTORY/NAME/N.")
]
Tolerance = Annotated[
    float, typer.Option(help="Pixels by which an outline may differ from its object; 0 loses nothing.")
]


def _existing(path: Path) -> Path:
    """Refuse a path that is not a run before TensorFlow starts, which takes seconds."""
    from kerasseg.runs.rundirectory import existing

    if cascade.is_trained(path):
        raise UserError(f"{path}: it is a cascade; name the run of one of its stages: {cascade.runs(path)}")
    return existing(path).path


Threshold = Annotated[
    float | None,
    typer.Option(help="Probability above which a pixel belongs to a class, instead of the recipe's."),
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kerasseg {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
]


@app.callback()
def kerasseg(
    version: Version = False,
) -> None:
    """Segment microscopy images: annotate in labelme, write a recipe, run it."""


@app.command(**example("run recipes/sartorius_linknet.yaml train.epochs=5"))
def run(
    recipe: RecipeFile,
    overrides: Overrides = None,
    directory: RunsFolder = Path("runs"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the last run of this recipe, which was stopped.")
    ] = False,
    stage: Annotated[str | None, typer.Option(help="Train only this stage of a cascade.")] = None,
) -> None:
    """Train a recipe's model or a cascade, and report on it."""
    recipe = load_recipe(recipe, overrides, or_cascade=True)
    if stage is not None and not cascade.is_cascade(recipe):
        raise UserError(f"--stage {stage}: only a cascade has stages, and this is one recipe; leave it out")
    start_tensorflow()
    if cascade.is_cascade(recipe):
        return cascade.run(recipe, directory=directory, resume=resume, stage=stage)
    if recipe.label:
        from kerasseg.commands.label import run_round as run
    elif recipe.data.split.folds and not recipe.data.split.fold:
        from kerasseg.commands.folds import run
    elif recipe.train.devices == "workers":
        from kerasseg.commands.train import learn_together as run
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
    dask: Annotated[
        str | None, typer.Option(help="Train on the workers of a Dask cluster, such as tcp://HOST:8786.")
    ] = None,
) -> None:
    """Train a recipe with many settings and compare them."""
    from kerasseg.recipe.sweep import read_plan

    plan = read_plan(recipe, overrides, search=search, trials=trials, objective=objective)
    start_tensorflow()
    from kerasseg.commands.sweep import sweep, sweep_on_cluster

    if dask:
        return sweep_on_cluster(plan, dask, directory=directory, storage=storage)
    sweep(plan, directory=directory, storage=storage)


@app.command(**example("check recipes/sartorius_linknet.yaml data.source.sartorius.root=data/mine"))
def check(recipe: RecipeFile, overrides: Overrides = None) -> None:
    """Check a recipe and its data, and estimate what a run takes."""
    recipe = load_recipe(recipe, overrides, or_cascade=True)
    from kerasseg.commands.check import check, check_cascade

    (check_cascade if cascade.is_cascade(recipe) else check)(recipe)


@app.command(**example("inspect recipes/sartorius_unet.yaml model.unet.attention=false"))
def inspect(
    target: Annotated[
        str,
        typer.Argument(metavar="RECIPE|MODEL", help="A recipe, a run, or a shipped model's name."),
    ],
    overrides: Overrides = None,
) -> None:
    """Show a model's blocks, parameters, FLOPs and latency."""
    from kerasseg.runs.shipped import located

    path = located(Path(target))
    inspected = path if path.is_dir() or path.suffix == ".keras" else load_recipe(target, overrides)
    if overrides and inspected is path:
        raise UserError(f"{path}: overrides change a recipe, and this is a model; got {' '.join(overrides)}")
    start_tensorflow()
    from kerasseg.commands.inspect import inspect

    inspect(inspected)


@app.command(**example("evaluate runs/cells/1 --data more/drawn"))
def evaluate(
    target: Annotated[
        Path, typer.Argument(metavar="RUN|MASKS", help="A run, a shipped model, or a folder of masks.")
    ],
    truth: Annotated[
        Path | None, typer.Argument(metavar="[TRUTH]", help="The folder of the true masks.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Other annotated images, laid out as the recipe's root.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for what --data comes to.")] = None,
    what: Annotated[
        str | None, typer.Option(help="What MASKS and TRUTH hold: mask (class ids) or labels.")
    ] = None,
    threshold: Threshold = None,
) -> None:
    """Score a run again, or on other images; or files of masks."""
    of_run = {"--data": data, "--out": out, "--threshold": threshold}
    given = [name for name, value in (of_run if truth else {"--what": what}).items() if value is not None]
    if given or (out and not data):
        kind = "files have no run, so" if truth else "a run has its own ways:"
        raise UserError(f"{', '.join(given or ['--out'])}: {kind} leave it out")
    if truth:
        from kerasseg.commands.evaluate_files import evaluate_files, lines

        typer.echo("\n".join(lines(evaluate_files(target, truth, kind=what))))
        return
    run = _existing(target)
    start_tensorflow()
    from kerasseg.commands.evaluate import evaluate, evaluate_on

    if data:
        evaluate_on(run, data, out=out, threshold=threshold)
    else:
        evaluate(run, threshold=threshold)


@app.command(**example("predict runs/cells/1 slides/ results/ --what labels"))
def predict(
    paths: Annotated[list[Path], typer.Argument(metavar="[RUN] IMAGES [OUT]", hidden=True)],
    what: Annotated[
        str | None,
        typer.Option(
            help="mask (default), labels (numbered objects), probabilities, or stages of a cascade."
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(help=f"File format: {any_of(PIXELS)}; labels also as {any_of(OUTLINES)}."),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(help="Use the model of a server: grpc://HOST:8500/NAME or rest://HOST:8501/NAME."),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(help="Compute by tensorflow, or on a CPU by openvino or int8; auto: not by int8."),
    ] = None,
    dask: Annotated[
        str | None, typer.Option(help="Compute on a Dask cluster, such as tcp://HOST:8786.")
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option(help="Pixels along each side of a tile, instead of the recipe's predict.tile."),
    ] = None,
    overlap: Annotated[
        str | None,
        typer.Option(help="Pixels of context on each side of a tile, or auto: as far as the model sees."),
    ] = None,
    blend: Annotated[
        str | None, typer.Option(help="How tiles are merged: crop, gaussian, hann or constant.")
    ] = None,
    padding: Annotated[
        str | None,
        typer.Option(
            help="What tiles show beyond the image: reflect, edge or zero; inside keeps them within it."
        ),
    ] = None,
    tta: Annotated[
        str | None, typer.Option(help="Test-time augmentation: none, flips, or d4 for flips and turns.")
    ] = None,
    threshold: Threshold = None,
    diameter: Annotated[
        float | None,
        typer.Option(help="Pixels across an object: brings images to the scale the model learnt at."),
    ] = None,
    axes: Annotated[
        str | None, typer.Option(help="Axes of files that do not name them, such as ZYX.")
    ] = None,
    channel: Annotated[int | None, typer.Option(help="Look at this channel only, counted from 0.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Start again, and replace existing results.")
    ] = False,
    table: Annotated[
        Path | None, typer.Option(help="Also measure the objects: NAME.csv or NAME.parquet.")
    ] = None,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Also draw each image with its objects' outlines and ids.")
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Segment images and volumes of any size.

    RUN is the folder of a run or a cascade, the name of a shipped model (kerasseg models), or a package of
    the BioImage Model Zoo (none with --server), IMAGES an image or a folder of images, OUT the folder for
    the results ("predictions" by default). An interrupted prediction resumes when the command is repeated.
    """
    tell = speaking(quiet=quiet, json=json)
    tiles = {"tile": tile, "overlap": overlap, "blend": blend, "padding": padding, "tta": tta}
    if not server and paths and cascade.is_trained(paths[0]):
        refused = {"dask": dask, "threshold": threshold, "diameter": diameter, **tiles}
        options = {"what": what, "to": to, "axes": axes, "channel": channel, "force": force, "engine": engine}
        options |= {"table": table, "overlay": overlay, "tell": tell}
        return cascade.predict(paths[0], *_images_and_out(paths[1:]), refused=refused, **options)
    from kerasseg.inference.package_file import is_package

    computing = {"--engine": engine, "--dask": dask}
    if server and (beside := " ".join(f"{option} {given}" for option, given in computing.items() if given)):
        raise UserError(f"{beside}: the server computes; leave it out, or leave --server out")
    runs = [] if server else [path if is_package(path) else _existing(path) for path in paths[:1]]
    images, out = _images_and_out(paths[len(runs) :])
    from kerasseg.commands.predict import predict
    from kerasseg.inference.backends import AUTO, TENSORFLOW
    from kerasseg.segmenter import Segmenter

    engine = engine or (TENSORFLOW if dask else AUTO)  # which workers of a cluster have
    segmenter = Segmenter.connect(server) if server else Segmenter.load(*runs, engine=engine)
    tiles["overlap"] = int(overlap) if overlap and overlap.isdecimal() else overlap
    options = {"what": what, "to": to, "threshold": threshold, "axes": axes, "diameter": diameter}
    options |= {"channel": channel, "force": force, "table": table, "overlay": overlay, "tell": tell}
    predict(segmenter, images, out, scheduler=dask, **options, **tiles)


def _images_and_out(paths: list[Path]) -> tuple[Path, Path]:
    if len(paths) not in (1, 2):
        raise UserError(
            f"{' '.join(map(str, paths)) or 'nothing'}: expected IMAGES and a folder for the results"
        )
    return (*paths, Path("predictions"))[:2]


@app.command(**example("export runs/sartorius_linknet/1 served/cells"))
def export(
    run: RunFolder,
    out: Annotated[
        Path | None,
        typer.Argument(
            metavar="OUT", help="Folder for the model's next version, or the file; in RUN by default."
        ),
    ] = None,
    to: Annotated[
        str,
        typer.Option("--format", help="savedmodel (for TensorFlow Serving), bioimageio, onnx or openvino."),
    ] = "savedmodel",
    author: Annotated[
        list[str] | None, typer.Option(help="Name of an author, for bioimageio; repeatable.")
    ] = None,
    license: Annotated[
        str | None, typer.Option(help="SPDX name of the licence, for bioimageio, such as CC-BY-4.0.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists.")] = False,
) -> None:
    """Export the model of a run, or a cascade, for other programs."""
    is_cascade = cascade.is_trained(run)
    if is_cascade and (to != "savedmodel" or author or license):
        raise UserError(f"{run}: a cascade is exported as a SavedModel; leave --format and its options out")
    run = run if is_cascade else _existing(run)
    start_tensorflow()
    from kerasseg.commands.export import export, export_cascade

    if is_cascade:
        export_cascade(run, out)
    else:
        export(run, out, to=to, authors=author or (), license=license, overwrite=overwrite)


@app.command(**example("quantise runs/cells/1"))
def quantise(
    run: RunFolder,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Annotated images instead of the run's, laid out as those; a shipped model has none."
        ),
    ] = None,
) -> None:
    """Make a run faster on CPUs by int8, and say at what cost.

    Its scores are those of the run's test images, which the report shows beside the full ones; it is kept
    unless a Dice falls by more than 0.01, and asked by kerasseg predict --engine int8.
    """
    run = _existing(run)
    start_tensorflow()
    from kerasseg.commands.quantise import quantise

    quantise(run, data)


@app.command(**example("compare runs/cells/1 runs/cells/2"))
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders of two runs or more.")],
    out: Annotated[Path, typer.Option(help="Folder for compare.html and compare.csv.")] = Path("comparison"),
) -> None:
    """Compare runs on the images that all were tested on."""
    from kerasseg.commands.compare import compare

    compare(runs, out)


@app.command(**example("runs"))
def runs(
    directory: Annotated[Path, typer.Argument(help="The folder that holds runs.")] = Path("runs"),
) -> None:
    """List runs, how far they are, and their scores."""
    from kerasseg.commands.runs import list_runs

    list_runs(directory)


@app.command(**example("models nuclei-2d"))
def models(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The model whose card is shown; all are listed else.")
    ] = None,
) -> None:
    """List the models that come with kerasseg, or show one's card."""
    from kerasseg.commands.models import list_models, show_card

    show_card(name) if name else list_models()


@app.command(**example("report runs/sartorius_linknet/1"))
def report(run: RunFolder) -> None:
    """Write report.html of a run or a cascade again from its files."""
    from kerasseg.report import cascade as cascade_page
    from kerasseg.report import page
    from kerasseg.runs.rundirectory import with_results

    is_cascade = cascade.is_trained(run)
    written = cascade_page.write(run) if is_cascade else page.write(with_results(_existing(run)).path)
    typer.echo(f"wrote {written}")


@app.command(**example("convert labelme masks drawn/ masks/ --classes cell"))
def convert(
    read_as: Annotated[str, typer.Argument(metavar="FROM", help=f"Format of IN: {any_of(FORMATS)}.")],
    write_as: Annotated[str, typer.Argument(metavar="TO", help="Format of OUT: another of these.")],
    source: Annotated[Path, typer.Argument(metavar="IN", help="The file or folder to read.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The file or folder to write.")],
    classes: Annotated[
        list[str] | None, typer.Option(help="Name of a class; repeat the option for each class.")
    ] = None,
    values: Annotated[
        list[str] | None, typer.Option(help="The number of a class in masks, such as cell=255; repeatable.")
    ] = None,
    tolerance: Tolerance = 0.5,
    crowds: Annotated[
        str, typer.Option(help="What iscrowd 1 means in COCO files: a region to ignore, or objects.")
    ] = "ignore",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Convert annotations from one format to another."""
    from kerasseg.annotations import conversion

    options = {"classes": classes or (), "values": _numbers(values), "tolerance": tolerance}
    options |= {"crowds": crowds, "overwrite": overwrite}
    typer.echo(conversion.convert(read_as, write_as, source, target, **options))


def _numbers(values: list[str] | None) -> dict[str, int] | None:
    """Read NAME=NUMBER."""
    pairs = [value.rpartition("=") for value in values or ()]
    wrong = [f"--values {''.join(pair)}: expected NAME=NUMBER" for pair in pairs if not pair[2].isdecimal()]
    if wrong:
        raise UserError(*wrong)
    return {name: int(number) for name, _, number in pairs} or None


@app.command(**example("extract slices/ nuclei/ --diameter 536nm --pixel-size 4nm"))
def extract(
    stack: Annotated[Path, typer.Argument(metavar="STACK", help="A folder of slices, TIFF, HDF5 or Zarr.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Gets nuclei.csv, crops and pictures.")],
    diameter: Annotated[
        str | None, typer.Option(help="Mean diameter of a nucleus: 134 (pixels) or 536nm.")
    ] = None,
    crop: Annotated[str | None, typer.Option(help="Side of a crop; twice the diameter by default.")] = None,
    polarity: Annotated[
        str, typer.Option(help="Nuclei are lighter (bright) or darker (dark) than cells, or both.")
    ] = "both",
    score: Annotated[
        float,
        typer.Option(help="Least score of an outline, from 0 to 1: how elliptical and how clear it is."),
    ] = 0.75,
    slices: Annotated[int, typer.Option(help="Least number of slices in which a nucleus is seen.")] = 3,
    preset: Annotated[str | None, typer.Option(help="paper: the published steps and numbers.")] = None,
    pixel_size: Annotated[
        str | None, typer.Option(help="Size of a pixel, such as 4nm, if the stack does not say.")
    ] = None,
    axes: Annotated[
        str | None, typer.Option(help="Axes of the files, such as ZYX, if they do not say.")
    ] = None,
) -> None:
    """Find, number and cut out nuclei in a stack of slices."""
    from kerasseg.nuclei.extract import Settings, extract

    extract(stack, out, Settings(diameter, crop, polarity, score, slices, preset, pixel_size, axes))


app.command(**example("components mask.tif labels.ome.tif --largest 12"))(components.components)
app.command(**example("compact images/ points/ --points 1% --report"))(compact.compact)
app.command(**example("expand points/ images/ --region 0:512,0:512"))(compact.expand)
app.command(**example("measure results/ slides/ cells.csv"))(components.measure)


@app.command(**example("schema > recipes/recipe.schema.json"))
def schema() -> None:
    """Print the JSON Schema of recipes, by which editors check them."""
    import json

    from kerasseg.recipe import schema

    typer.echo(json.dumps(schema(), indent=2))


def main() -> None:
    """Run the command line; `kerasseg` on a terminal comes here."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, Interrupted.by)
    app(prog_name="kerasseg")
