"""The page of clusters, from a folder of twelve tiles in a grid of three rows and four columns."""

import base64
import csv
import json
import re

import cv2
import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.images.files import write
from kerasseg.labelling.entries import Entry, to_csv
from kerasseg.report import clusters
from kerasseg.report.slide import GAP, SIDE, open_slide

NAMES = [f"{row:03d}-{column:03d}" for row in range(3) for column in range(4)]
CLUSTER = [0, 0, 0, 0, 0, 1, 1, 0, 2, 1, 2, 2]


def table(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header.split(","), *rows])


@pytest.fixture
def root(tmp_path):
    """A slide's folder: the tile number n is plain 20 n, with a margin of 255."""
    cut = {"slide": {"path": "/slides/a <b>.ome.tif", "size": [24, 32]}, "tile": 12, "margin": 2}
    (tmp_path / "slide.json").write_text(json.dumps(cut))
    for at, name in enumerate(NAMES):
        tile = np.full((12, 12), 255, np.uint8)
        tile[2:-2, 2:-2] = 20 * at
        write(tmp_path / "tiles" / f"{name}.png", tile)
    places = [divmod(at, 4) for at in range(12)]
    rows = [
        [name, *place, 0, 0, "", at / 20, 0.1]
        for at, (name, place) in enumerate(zip(NAMES, places, strict=True))
    ]
    table(tmp_path / "tiles.csv", "name,row,column,y,x,part,mean,deviation", rows)
    table(tmp_path / "clusters.csv", "name,cluster,distance", zip(NAMES, CLUSTER, range(12), strict=True))
    np.save(tmp_path / "embeddings.npy", np.random.default_rng(0).random((12, 2, 2, 3), np.float32))
    return tmp_path


def queue(root, states):
    """Write the queue of some tiles, by their numbers."""
    entries = [Entry(NAMES[at], 0, "train", 1, "random", state=state) for at, state in states.items()]
    (root / "queue.csv").write_text(to_csv(entries))


def layout(codes, seed):
    places = codes.reshape(len(codes), -1)[:, :2].copy()
    places[0] = np.nan  # t-SNE looks at some of many tiles
    return places


def page(root, **facts):
    return clusters.write(root, seed=3, layout=layout, **facts).read_text(encoding="utf-8")


def test_the_page_needs_nothing_but_itself_and_escapes_what_it_is_given(root):
    text = page(root)
    addresses = re.findall(r'(?:src|href)="([^"]*)', text)
    assert len(addresses) == 4 + 2 * 3  # overview, map, two charts; a sheet and codes for each cluster
    assert all(address.startswith("data:image/") for address in addresses)
    assert "<script" not in text
    assert "a &lt;b&gt;.ome.tif" in text


def test_the_table_tells_each_cluster(root):
    queue(root, {5: "accepted", 6: "proposed", 8: "edited"})
    facts = clusters.gather(root, seed=3, layout=layout)
    told = [[of[key] for key in ("number", "size", "drawn", "labelled", "shown")] for of in facts["clusters"]]
    assert told == [[0, 6, 0, 0, 6], [1, 3, 2, 1, 3], [2, 3, 1, 1, 3]]
    assert [of["mean"] for of in facts["clusters"]] == pytest.approx([17 / 120, 20 / 60, 29 / 60])
    assert (facts["drawn"], facts["labelled"], facts["laid_out"]) == (3, 2, 11)


def test_what_is_not_known_is_left_out(root):
    bare = page(root)
    assert "silhouette" not in bare
    assert "drawn for labelling" not in bare
    queue(root, {5: "accepted"})
    assert "0.41" in page(root, silhouette=0.41)
    assert "drawn for labelling" in page(root)


def test_the_same_seed_shows_the_same_tiles(root, monkeypatch):
    monkeypatch.setattr(clusters, "ON_A_SHEET", 2)
    assert page(root) == page(root)
    sheets = [clusters.gather(root, seed=seed, layout=layout)["clusters"][0]["sheet"] for seed in range(4)]
    assert len(set(sheets)) > 1


def decoded(address):
    content = np.frombuffer(base64.b64decode(address.partition(",")[2]), np.uint8)
    return cv2.imdecode(content, cv2.IMREAD_COLOR)[..., ::-1]


def test_embeddings_are_stretched_alike_whatever_their_cluster(root):
    embeddings = np.zeros((12, 2, 2, 3), np.float32)
    embeddings[np.array(CLUSTER) > 0] = 7
    np.save(root / "embeddings.npy", embeddings)
    dark, bright, _ = (
        decoded(cluster["embeddings"]) for cluster in clusters.gather(root, seed=3, layout=layout)["clusters"]
    )
    step = SIDE + GAP
    assert (len(dark) + GAP) // step == (len(bright) + GAP) // step == 4  # tiles; least, greatest, deviation
    assert dark[step + 5 : step + SIDE - 5, 5 : SIDE - 5].max() < 10
    assert bright[step + 5 : step + SIDE - 5, 5 : SIDE - 5].min() > 245


def test_the_map_has_each_tile_s_colour_in_its_place(root, monkeypatch):
    monkeypatch.setattr(clusters, "COLOURS", ["#010203", "#0405ff", "#070809"])
    drawn = decoded(clusters.gather(root, seed=3, layout=layout)["map"])
    side = clusters.PIXELS
    assert drawn.shape == (3 * side, 4 * side, 3)
    assert drawn[::side, ::side].tolist() == [
        [[1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 2, 3]],
        [[1, 2, 3], [4, 5, 255], [4, 5, 255], [1, 2, 3]],
        [[7, 8, 9], [4, 5, 255], [7, 8, 9], [7, 8, 9]],
    ]


def test_the_map_of_a_region_begins_where_its_tiles_do(root):
    lines = (root / "tiles.csv").read_text().splitlines(keepends=True)
    (root / "tiles.csv").write_text("".join([lines[0], *lines[7:9], *lines[11:13]]))  # the last two columns
    slide = open_slide(root)
    assert (slide.corner, slide.grid) == ((1, 2), (2, 2))
    drawn = slide.map({name: np.array([at, 0, 0], np.uint8) for at, name in enumerate(slide.tiles)}, 1)
    assert drawn[..., 0].tolist() == [[0, 1], [2, 3]]


def test_neighbours_lie_core_by_core_and_grey_beyond_the_slide(root):
    slide = open_slide(root)
    around = slide.around("000-000")
    assert around.shape == (24, 24, 3)
    assert (around[:8] == 236).all()
    assert (around[:, :8] == 236).all()
    low, high = slide.limits
    expected = [[0, 20], [80, 100]]
    shown = np.round(255 * (np.array(expected) - low) / (high - low)).clip(0, 255)
    assert around[8::8, 8::8, 0].tolist() == shown.tolist()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tiles.csv", "crop the slide"),
        ("slide.json", "crop the slide"),
        ("clusters.csv", "cluster the tiles"),
        ("embeddings.npy", "embed the tiles"),
        ("tiles/001-002.png", "001-002.*this tile is gone"),
    ],
)
def test_a_missing_file_is_named_and_no_page_written(root, name, message):
    (root / name).unlink()
    with pytest.raises(UserError, match=message):
        page(root)
    assert not (root / "clusters.html").exists()


def test_clusters_of_other_tiles_are_refused(root):
    table(
        root / "clusters.csv", "name,cluster,distance", zip(reversed(NAMES), CLUSTER, range(12), strict=True)
    )
    with pytest.raises(UserError, match=r"not the 12 of tiles\.csv in their order; cluster"):
        page(root)
