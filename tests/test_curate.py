"""The labelling loop from a slide to a model and what it proposes next; the truth plays the person."""

from pathlib import Path

import numpy as np
import pytest

from kerasseg import curate
from kerasseg.annotations import labelme
from kerasseg.annotations.shapes import Drawing
from kerasseg.annotations.trace import trace_labels
from kerasseg.check import check
from kerasseg.data.synthesizers import SYNTHESIZERS
from kerasseg.errors import UserError
from kerasseg.images.stores.store import open_store
from kerasseg.labelling import tiles
from kerasseg.labelling.queue import queue
from kerasseg.recipe import load

SMALL = [
    "label.tile=64",
    "label.embed=intensity",
    "label.clusters=2",
    "label.select={policy: balanced, budget: 12}",
    "model={unet: {encoder: plain, base_filters: 2, levels: 2, attention: false}}",
    "train={epochs: 1, steps_per_epoch: 2, batch_size: 2, optimizer: adam}",
    "predict={tile: 64, overlap: 8, blend: crop}",
    "data.augment=[]",
    "export.saved_model=false",
]


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    """Draw a slide of 8 x 6 tiles or so."""
    folder = tmp_path_factory.mktemp("slide")
    SYNTHESIZERS["slide"](folder, size=(320, 448), seed=1)
    return folder


@pytest.fixture
def recipe(slide, tmp_path):
    where = [
        f"label.slide={slide / 'slide.ome.tif'}",
        f"data.source.queue.root={tmp_path / 'labelling'}",
    ]
    return load(Path("recipes/cfos_curate.yaml"), [*SMALL, *where])


def draw(recipe, slide: Path, name: str) -> None:
    """Draw a tile as labelme would leave it, from the truth."""
    root = curate.root(recipe)
    tile = next(tile for tile in tiles.read_tiles(root) if tile.name == name)
    with open_store(slide / "truth.labels.ome.tif", values=True) as truth:
        core = truth.read((slice(tile.y, tile.y + 56), slice(tile.x, tile.x + 56)))[..., 0]
    labels = np.zeros((64, 64), np.int32)
    labels[4 : 4 + core.shape[0], 4 : 4 + core.shape[1]] = core
    shapes = trace_labels(labels, lambda _: "cell")
    labelme.write(root / "queue" / f"{name}.json", Drawing(f"{name}.png", (64, 64), shapes))


def test_the_loop_goes_round(recipe, slide, tmp_path, capsys):
    curate.turn(recipe, directory=tmp_path / "runs")
    root = curate.root(recipe)
    first = queue.waiting(queue.read(root))
    assert len(first) == 12
    assert {entry.state for entry in first} == {"selected"}
    assert not (tmp_path / "runs").exists()  # there is nothing to learn from yet
    assert "12 tiles wait" in capsys.readouterr().out
    assert (root / "clusters.html").stat().st_size > 10_000

    for entry in first:
        draw(recipe, slide, entry.tile)
        queue.decide(root, entry.tile, "accepted", "eva")
    curate.turn(recipe, directory=tmp_path / "runs")
    report = (tmp_path / "runs" / "cfos_curate" / "1" / "report.html").read_text(encoding="utf-8")
    assert "SYNTHETIC data" in report
    second = queue.waiting(queue.read(root))
    assert len(second) == 12
    assert {(entry.state, entry.round, entry.proposer) for entry in second} == {("proposed", 2, "model")}
    assert len(queue.labelled(queue.read(root))) == 12


def test_each_step_is_done_at_once_when_repeated(recipe, tmp_path):
    for step in (curate.crop, curate.embed, curate.cluster) * 2:
        step(recipe)
    curate.select(recipe)
    curate.propose(recipe, tmp_path / "runs")
    before = (curate.root(recipe) / "queue.csv").read_bytes()
    curate.propose(recipe, tmp_path / "runs")
    assert (curate.root(recipe) / "queue.csv").read_bytes() == before


def test_tiles_to_judge_by_are_of_their_region(slide, tmp_path):
    told = [
        f"label.slide={slide / 'slide.ome.tif'}",
        f"data.source.queue.root={tmp_path / 'labelling'}",
        "label.test_region=[0, 280, 320, 168]",
        "label.select={policy: random, budget: 4, test: 3}",
    ]
    recipe = load(Path("recipes/cfos_curate.yaml"), [*SMALL, *told])
    for step in (curate.crop, curate.embed, curate.cluster, curate.select):
        step(recipe)
    entries = queue.read(curate.root(recipe))
    assert [sum(entry.part == part for entry in entries) for part in ("train", "test")] == [4, 3]
    where = {tile.name: tile.x for tile in tiles.read_tiles(curate.root(recipe))}
    assert all((where[entry.tile] >= 280) == (entry.part == "test") for entry in entries)


def test_a_check_counts_the_tiles_before_any_is_labelled(recipe, capsys):
    check(recipe)
    said = capsys.readouterr().out
    assert "320 x 448 pixels, cut into 48 tiles of 64 x 64" in said
    assert "no tile is labelled yet" in said
    assert not curate.root(recipe).exists()


def test_a_recipe_that_labels_nothing_says_where_one_is():
    with pytest.raises(UserError, match="recipes copy cfos_curate"):
        curate.crop(load(Path("recipes/nuclei.yaml")))


def test_a_slide_that_is_missing_is_named(tmp_path):
    given = [f"label.slide={tmp_path / 'none.tif'}", "data.if_missing=error"]
    with pytest.raises(UserError, match=r"none\.tif"):
        curate.crop(load(Path("recipes/cfos_curate.yaml"), given))
