"""Rooms that do without TensorFlow stay without it, and help does without nearly everything."""

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import kerasseg

LIGHT = [
    "cli",
    "commands.check",
    "commands.compact",
    "commands.expand",
    "images.masks",
    "labelling.tables",
    "errors",
    "console",
    "postprocess",
    "postprocess.streaming",
    "postprocess.pairs",
    "inference.mask_files",
    "recipe",
    "images.files",
    "images.preprocessing",
    "images.normalisation",
    "images.ondisk",
    "images.preprocessing",
    "images.stores.store",
    "images.stores.volume",
    "images.writing.tiff",
    "images.writing.zarr",
    "annotations.labelme",
    "annotations.draw",
    "annotations.trace",
    "annotations.rle",
    "annotations.coco",
    "annotations.geojson",
    "annotations.imagej",
    "annotations.objects",
    "annotations.rings",
    "annotations.masks",
    "annotations.conversion",
    "data.sample",
    "data.sources",
    "synthetic.origin",
    "synthetic.cells",
    "synthetic.golgi",
    "data.split",
    "data.augment",
    "data.transforms",
    "data.patches",
    "data.batches",
    "commands.preparation",
    "commands.measure",
    "data.collect",
    "labelling.provenance",
    "labelling.labelme_app",
    "labelling.proposals",
    "labelling.queue",
    "runs.rundirectory",
    "metrics.pixel",
    "metrics.instance",
    "metrics.coco",
    "metrics.objects",
    "labelling.tiles",
    "labelling.segment_anything.proposals",
    "inference.distributed",
    "inference.overlap",
    "inference.tiling",
    "inference.blending",
    "inference.tiled",
    "inference.backends",
    "spec",
    "serving.card",
    "inference.server.client",
    "inference.server.over_rest",
    "training.schedule",
    "commands.learning_curve.points",
    "report.learning_curve",
    "report.page",
    "report.clusters",
    "review.page",
    "labelling.clustering",
    "labelling.embedding",
    "labelling.selection",
    "commands.components",
    "commands.match",
    "metrics.confusion",
    "postprocess.cleaning",
]


def loaded(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_light_rooms_import_no_tensorflow():
    one_by_one = (
        "import importlib, sys\n"
        f"for room in {LIGHT}:\n"
        "    importlib.import_module('kerasseg.' + room)\n"
        "    heavy = {'tensorflow', 'keras', 'torch', 'jax'} & set(sys.modules)\n"
        "    assert not heavy, f'{room} imports {heavy}'"
    )
    done = subprocess.run([sys.executable, "-c", one_by_one], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_zarr_is_imported_by_those_who_read_or_write_one():
    assert "zarr" not in loaded("import kerasseg.images.stores.store, kerasseg.images.writing.zarr")


def test_h5py_is_imported_by_those_who_read_hdf5():
    assert "h5py" not in loaded("import kerasseg.data.sample, kerasseg.images.stores.store")


def test_dask_is_imported_by_those_who_ask_a_cluster():
    assert not loaded("import kerasseg.inference.distributed") & {"dask", "distributed"}


def test_help_imports_no_more_than_typer():
    heavy = {"numpy", "pydantic", "yaml", "rich", "cv2", "PIL", "scipy", "kerasseg.recipe", "kerasseg.images"}
    help_ = "import sys\nsys.argv = ['kerasseg', '--help']\nfrom kerasseg.cli import main\n"
    assert not loaded(help_ + "try: main()\nexcept SystemExit: pass") & heavy


def test_recipes_that_augment_nothing_are_read_without_numpy():
    read = "from kerasseg.recipe import load; load('sartorius_linknet', ['data.augment=[]'])"
    assert not loaded(read) & {"numpy", "cv2", "PIL", "albumentations"}


def test_recipes_that_augment_are_listed_and_described_without_albumentations():
    listed = (
        "from kerasseg.recipe.shipped import about, shipped; [about(path) for path in shipped().values()]"
    )
    assert not loaded(f"{listed}; from kerasseg.recipe import schema; schema()") & {"numpy", "albumentations"}


def test_recipes_that_augment_are_checked_without_the_torch_that_albumentations_takes_where_it_is(tmp_path):
    (tmp_path / "torch.py").write_text("raise SystemExit('torch is imported')")
    check = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from kerasseg.recipe import load; load('sartorius_linknet', ['data.augment=[HorizontalFlip]'])"
    )
    modules = loaded(check)
    assert "albumentations" in modules
    assert not modules & {"torch", "albumentations.pytorch"}


def modules_that_are_called(source: str) -> list[str]:
    """Name what a source imports from a package and calls, where the package's attribute is a module."""
    tree = ast.parse(source)
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    imported = [
        (statement.module, alias.name)
        for statement in ast.walk(tree)
        if isinstance(statement, ast.ImportFrom) and statement.module.startswith("kerasseg")
        for alias in statement.names
        if (alias.asname or alias.name) in called
    ]
    return [f"{package}.{name}" for package, name in imported if is_module(package, name)]


def is_module(package: str, name: str) -> bool:
    """Tell whether ``from package import name`` gives a module: it is there and nothing else has its name."""
    path = find_spec(package).origin
    named = {
        alias.asname or alias.name
        for statement in ast.parse(Path(path).read_text(encoding="utf-8")).body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    is_package = Path(path).name == "__init__.py"
    return is_package and name not in named and find_spec(f"{package}.{name}") is not None


def test_a_module_that_is_called_is_noticed():
    assert modules_that_are_called("from kerasseg.labelling import queue\nqueue(1)") == [
        "kerasseg.labelling.queue"
    ]
    assert not modules_that_are_called("from kerasseg.labelling.proposals import propose\npropose(1)")


def test_no_module_is_called_as_the_function_of_its_name():
    package = Path(kerasseg.__file__).parent
    wrong = {
        str(path.relative_to(package)): called
        for path in package.rglob("*.py")
        if (called := modules_that_are_called(path.read_text(encoding="utf-8")))
    }
    assert not wrong
