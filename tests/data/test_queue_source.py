"""The labelled tiles of a labelling folder as samples."""

import numpy as np
import pytest
from components import SOURCES

from kerasseg.annotations.shapes import Drawing, Shape
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.labelling import folder, provenance
from kerasseg.labelling.entries import Entry, to_csv

BOX = Shape("cell", np.array([[1.0, 1.0], [3.0, 2.0]]), "rectangle")


@pytest.fixture
def root(tmp_path):
    """Four tiles of 4 x 6 pixels: accepted with a box, accepted empty, edited, and one that waits."""
    names = ["0-0", "0-1", "0-2", "0-3"]
    for name in names:
        files.write(tmp_path / f"tiles/{name}.png", np.full((4, 6), 40, np.uint16))
        files.write(folder.view_path(tmp_path, name), np.zeros((4, 6), np.uint8))
        shapes = [] if name == "0-1" else [BOX]
        provenance.propose(
            folder.drawing_path(tmp_path, name), Drawing(f"{name}.png", (4, 6), shapes), "sam", "1"
        )
    lines = [f"{name},0,{column},0,{column},train,0.1,0.2" for column, name in enumerate(names)]
    (tmp_path / "tiles.csv").write_text("\n".join(["name,row,column,y,x,part,mean,deviation", *lines]) + "\n")
    states = zip(names, ["accepted", "accepted", "edited", "proposed"], strict=True)
    entries = [Entry(name, 2, "train", 1, "random", "sam", state=state) for name, state in states]
    (tmp_path / "queue.csv").write_text(to_csv(entries))
    return tmp_path


def messages(root, classes=("cell",)):
    with pytest.raises(UserError) as raised:
        SOURCES["queue"](root, list(classes))
    return raised.value.messages


def test_what_was_accepted_or_edited_is_listed_as_it_was_cut(root):
    samples = SOURCES["queue"](root, ["cell"])
    assert [sample.name for sample in samples] == ["0-0", "0-1", "0-2"]
    first, empty, _ = samples
    assert first.image == root / "tiles/0-0.png"
    assert first.read().dtype == np.uint16
    assert first.annotate().mask.tolist() == [[0] * 6, [0, 1, 1, 1, 0, 0], [0, 1, 1, 1, 0, 0], [0] * 6]
    assert not empty.annotate().mask.any()
    assert first.attributes == {
        "folder": "tiles",
        "part": "train",
        "cluster": "2",
        "round": "1",
        "proposer": "sam",
    }


def test_labels_that_the_recipe_does_not_know_are_named(root):
    found = messages(root, ["nucleus"])
    assert len(found) == 2
    assert "0-0.json: unknown class 'cell'" in found[0]
    assert "(data.classes)" in found[0]


def test_a_tile_without_image_or_drawing_and_one_of_another_size_are_all_named(root):
    (root / "tiles/0-0.png").unlink()
    folder.drawing_path(root, "0-1").unlink()
    files.write(root / "tiles/0-2.png", np.zeros((5, 6), np.uint16))
    found = messages(root)
    for part in ("0-0.png: this tile is gone", "0-1.json: there is no such file", "5 x 6"):
        assert sum(part in message for message in found) == 1, part


def test_where_nothing_is_labelled_it_is_said_how_many_wait_and_what_to_type(root):
    entries = [Entry("0-0", 2, "train", 1, "random"), Entry("0-1", 2, "train", 1, "x", state="rejected")]
    (root / "queue.csv").write_text(to_csv(entries))
    (message,) = messages(root)
    assert "1 of 2 tiles in the queue wait" in message
    assert "kerasseg label review RECIPE" in message
    (root / "queue.csv").unlink()
    assert "kerasseg label select RECIPE" in messages(root)[0]
