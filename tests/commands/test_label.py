"""The labelling loop from a slide to a model and what it proposes next; the truth plays the person."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kerasseg.annotations import labelme
from kerasseg.annotations.shapes import Drawing
from kerasseg.annotations.trace import trace_labels
from kerasseg.cli import app
from kerasseg.commands.check import check
from kerasseg.commands.label import (
    cluster_tiles,
    crop_slide,
    embed_tiles,
    propose_shapes,
    root_of,
    run_round,
    select_tiles,
)
from kerasseg.errors import UserError
from kerasseg.images.stores.store import open_store
from kerasseg.labelling import labelme_app, queue
from kerasseg.labelling.folder import read_tiles
from kerasseg.labelling.segment_anything import kerashub
from kerasseg.recipe import load
from kerasseg.review import page
from kerasseg.synthetic.slide import synthesize

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
    synthesize(folder, size=(320, 448), seed=1)
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
    root = root_of(recipe)
    tile = next(tile for tile in read_tiles(root) if tile.name == name)
    with open_store(slide / "truth.labels.ome.tif", values=True) as truth:
        core = truth.read((slice(tile.y, tile.y + 56), slice(tile.x, tile.x + 56)))[..., 0]
    labels = np.zeros((64, 64), np.int32)
    labels[4 : 4 + core.shape[0], 4 : 4 + core.shape[1]] = core
    shapes = trace_labels(labels, lambda _: "cell")
    labelme.write(root / "queue" / f"{name}.json", Drawing(f"{name}.png", (64, 64), shapes))


def test_the_loop_goes_round(recipe, slide, tmp_path, capsys):
    run_round(recipe, directory=tmp_path / "runs")
    root = root_of(recipe)
    first = queue.waiting(queue.read(root))
    assert len(first) == 12
    assert {entry.state for entry in first} == {"selected"}
    assert not (tmp_path / "runs").exists()  # there is nothing to learn from yet
    assert "12 tiles wait" in capsys.readouterr().out
    assert (root / "clusters.html").stat().st_size > 10_000

    for entry in first:
        draw(recipe, slide, entry.tile)
        queue.decide(root, entry.tile, "accepted", "eva")
    run_round(recipe, directory=tmp_path / "runs")
    report = (tmp_path / "runs" / "cfos_curate" / "1" / "report.html").read_text(encoding="utf-8")
    assert "SYNTHETIC data" in report
    second = queue.waiting(queue.read(root))
    assert len(second) == 12
    assert {(entry.state, entry.round, entry.proposer) for entry in second} == {("proposed", 2, "model")}
    assert len(queue.labelled(queue.read(root))) == 12


def test_each_step_is_done_at_once_when_repeated(recipe, tmp_path):
    for step in (crop_slide, embed_tiles, cluster_tiles) * 2:
        step(recipe)
    select_tiles(recipe)
    propose_shapes(recipe, tmp_path / "runs")
    before = (root_of(recipe) / "queue.csv").read_bytes()
    propose_shapes(recipe, tmp_path / "runs")
    assert (root_of(recipe) / "queue.csv").read_bytes() == before


def test_tiles_to_judge_by_are_of_their_region(slide, tmp_path):
    told = [
        f"label.slide={slide / 'slide.ome.tif'}",
        f"data.source.queue.root={tmp_path / 'labelling'}",
        "label.test_region=[0, 280, 320, 168]",
        "label.select={policy: random, budget: 4, test: 3}",
    ]
    recipe = load(Path("recipes/cfos_curate.yaml"), [*SMALL, *told])
    for step in (crop_slide, embed_tiles, cluster_tiles, select_tiles):
        step(recipe)
    entries = queue.read(root_of(recipe))
    assert [sum(entry.part == part for entry in entries) for part in ("train", "test")] == [4, 3]
    where = {tile.name: tile.x for tile in read_tiles(root_of(recipe))}
    assert all((where[entry.tile] >= 280) == (entry.part == "test") for entry in entries)


def test_a_check_counts_the_tiles_before_any_is_labelled(recipe, capsys):
    check(recipe)
    said = capsys.readouterr().out
    assert "320 x 448 pixels, cut into 48 tiles of 64 x 64" in said
    assert "no tile is labelled yet" in said
    assert not root_of(recipe).exists()


def test_a_recipe_that_labels_nothing_says_where_one_is():
    with pytest.raises(UserError, match="recipes copy cfos_curate"):
        crop_slide(load(Path("recipes/nuclei.yaml")))


def test_a_slide_that_is_missing_is_named(tmp_path):
    given = [f"label.slide={tmp_path / 'none.tif'}", "data.if_missing=error"]
    with pytest.raises(UserError, match=r"none\.tif"):
        crop_slide(load(Path("recipes/cfos_curate.yaml"), given))


class Brighter:
    """A stand-in for Segment Anything: at every point it finds all pixels above 100."""

    def embed(self, image):
        return image.max(axis=-1) > 100

    def masks(self, bright, points):
        logits = np.where(bright, np.float32(12), np.float32(-12))
        return np.broadcast_to(logits, (len(points), 3, *bright.shape)), np.full(
            (len(points), 3), np.float32(0.9)
        )

    def enlarge(self, logits, size):
        return logits


def test_every_verb_of_label_does_its_step_by_the_command_line(slide, tmp_path, monkeypatch):
    monkeypatch.setattr(kerashub, "load_network", lambda preset, normalise: Brighter())
    monkeypatch.setattr(labelme_app, "command", lambda root, classes: ["true"])
    monkeypatch.setattr(page.Review, "server", stopped_at_once)
    root = tmp_path / "labelling"
    settings = [
        *SMALL,
        f"label.slide={slide / 'slide.ome.tif'}",
        f"data.source.queue.root={root}",
        "label.test_region=[0, 280, 320, 168]",
        "label.propose={segment_anything: {points_per_side: 4, stability_score_thresh: 0}}",
    ]

    def typed(step: str, *options: str) -> str:
        words = ["label", step, "recipes/cfos_curate.yaml", *settings, *options]
        shown = CliRunner().invoke(app, words, prog_name="kerasseg", catch_exceptions=False)
        assert shown.exit_code == 0, shown.output
        return shown.output

    assert "48 tiles of 64 x 64" in typed("crop")
    typed("embed")
    assert "darkest first" in typed("cluster")
    assert "selected 12 tiles" in typed("select")
    typed("propose", "--directory", str(tmp_path / "runs"))
    entries = queue.read(root)
    assert {(entry.state, entry.proposer) for entry in entries} == {("proposed", "segment_anything")}
    assert any(labelme.read(path).shapes for path in (root / "queue").glob("*.json"))
    assert "clusters.html" in typed("look")
    assert "0 tiles were drawn" in typed("open")
    assert "12 tiles wait for you" in typed("review")
    assert "0 decisions" in typed("review")
    assert ".png" in typed("review", "--sheets")
    assert "queue: 12 proposed" in typed("status")
    curve = typed("curve", "--truth", str(slide / "truth.labels.ome.tif"), "--tiles", "2", "--seeds", "1",
                  "--rounds", "0", "--policies", "random", "--out", str(tmp_path / "curves"))  # fmt: skip
    assert "look at" in curve


def stopped_at_once(self, port):
    """Stand in for the server of the page: Ctrl-C comes before any request."""

    class Server:
        address = "http://here"

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def serve_forever(self):
            raise KeyboardInterrupt

    return Server()
