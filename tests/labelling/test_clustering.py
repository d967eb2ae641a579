"""Tiles that are alike lie together, the darkest cluster is 0, and odd slides are no reason to stop."""

import itertools

import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.labelling import clustering
from kerasseg.labelling.clustering import Clusters, cluster, layout, read, silhouettes, write


def blobs(sizes, filters=2, spread=0.1, seed=0):
    """Embeddings of clusters far apart: the first around 0, the second around 10, ... in every dimension."""
    centres = np.repeat(10 * np.arange(len(sizes)), sizes)[:, None]
    return np.float32(centres + np.random.default_rng(seed).normal(0, spread, (len(centres), filters)))


def numbers(sizes):
    return np.repeat(np.arange(len(sizes)), sizes)


def test_clusters_and_distances_are_those_that_one_sees():
    embeddings = np.float32([[0, 0], [0, 2], [10, 0], [10, 4], [10, 2]])
    found = cluster(embeddings, 2, intensity=np.array([0.5, 0.5, 0.1, 0.1, 0.1]), seed=0)
    assert found.cluster.tolist() == [1, 1, 0, 0, 0]  # the three are darker
    assert found.distance.tolist() == [1, 1, 2, 2, 0]
    assert found.distance.dtype == np.float32
    assert found.sizes() == [3, 2]


@pytest.mark.parametrize("order", itertools.permutations(range(3)))
def test_the_darkest_cluster_is_the_first_whatever_k_means_calls_it(order):
    brightness = np.array(order)[numbers((3, 4, 5))] / 4
    found = cluster(blobs((3, 4, 5)), 3, intensity=brightness, seed=0)
    np.testing.assert_array_equal(found.cluster, np.array(order)[numbers((3, 4, 5))])


def test_k_means_goes_on_with_the_whole_codes():
    from sklearn.cluster import KMeans

    embeddings = blobs((30, 20, 10), filters=200, spread=6).reshape(60, 5, 5, 8)
    found = cluster(embeddings, 3, intensity=embeddings.mean(axis=(1, 2, 3)), seed=0)
    flat = embeddings.reshape(60, -1)
    centres = np.stack([flat[found.cluster == number].mean(axis=0) for number in range(3)])
    distances = np.linalg.norm(flat[:, None] - centres, axis=2)
    np.testing.assert_array_equal(distances.argmin(axis=1), found.cluster)  # nothing moves any more
    np.testing.assert_allclose(distances.min(axis=1), found.distance, rtol=1e-4)
    peer = KMeans(3, n_init=10, random_state=0).fit(flat)
    np.testing.assert_allclose(np.square(found.distance).sum(), peer.inertia_, rtol=1e-4)


def test_auto_finds_how_many_there_are(capsys):
    sizes = (12, 10, 9, 8)
    embeddings = blobs(sizes, filters=60)
    found = cluster(embeddings, "auto", intensity=embeddings.mean(axis=1), seed=0)
    np.testing.assert_array_equal(found.cluster, numbers(sizes))
    assert "4 clusters, by the largest silhouette: " in capsys.readouterr().out


def test_silhouettes_are_those_that_one_works_out_by_hand():
    # on a line at 0, 1 and 4, 5: of 0 it is 1 - 1/4.5, of 1 it is 1 - 1/3.5, and mirrored the same
    scores = silhouettes(np.float32([[0], [1], [4], [5]]), [2, 3, 4], seed=0)
    assert scores[2] == pytest.approx((7 / 9 + 5 / 7) / 2)
    assert scores.keys() == {2, 3}  # 4 clusters of 4 tiles say nothing


@pytest.mark.parametrize("asked", [5, "auto"])
def test_an_all_black_slide_is_one_cluster(asked, capsys):
    found = cluster(np.zeros((7, 2, 2, 8), np.float32), asked, intensity=np.zeros(7), seed=0)
    assert found.cluster.tolist() == [0] * 7
    assert found.distance.tolist() == [0] * 7
    if asked == 5:
        assert "7 tiles have 1 different embeddings, so no more clusters" in capsys.readouterr().out


def test_a_slide_of_two_kinds_of_tiles_has_two_clusters():
    embeddings = np.float32([[0], [1], [0], [1], [1]])
    for asked in (4, "auto"):
        assert cluster(embeddings, asked, intensity=embeddings[:, 0], seed=0).cluster.tolist() == [
            0,
            1,
            0,
            1,
            1,
        ]


def test_what_cannot_be_clustered_is_said():
    embeddings = blobs((3,))
    with pytest.raises(UserError, match="3 tiles cannot make 5 clusters: ask for 1 to 3"):
        cluster(embeddings, 5, intensity=np.zeros(3), seed=0)
    with pytest.raises(UserError, match="0 clusters: ask for 1 to 3"):
        cluster(embeddings, 0, intensity=np.zeros(3), seed=0)
    with pytest.raises(UserError, match="'automatic'; expected a number from 1, or auto"):
        cluster(embeddings, "automatic", intensity=np.zeros(3), seed=0)
    with pytest.raises(UserError, match="no tiles to cluster"):
        cluster(embeddings[:0], "auto", intensity=np.zeros(0), seed=0)


def test_one_cluster_has_no_silhouette():
    assert silhouettes(blobs((3, 3)), [1], seed=0) == {}


NAMES = ["000-000", "000-001", "001-000"]
FOUND = Clusters(np.array([1, 0, 1]), np.float32([0.5, 1e-7, 12.25]))


def test_clusters_are_read_as_they_were_written(tmp_path):
    write(tmp_path, NAMES, FOUND)
    lines = (tmp_path / "clusters.csv").read_text().splitlines()
    assert lines == ["name,cluster,distance", "000-000,1,0.5", "000-001,0,1e-07", "001-000,1,12.25"]
    found = read(tmp_path, NAMES)
    np.testing.assert_array_equal(found.cluster, FOUND.cluster)
    np.testing.assert_array_equal(found.distance, FOUND.distance)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("000-001,red,1", r"line 3: cluster is 'red'; expected a whole number from 0"),
        ("000-001,0,far", r"line 3: distance is 'far'; expected"),
        ("000-001,0,nan", r"line 3: distance is 'nan'; expected"),
        ("000-001,0", r"line 3: it has 2 cells; expected 3"),
        ("000-009,0,1", r"its 3 tiles are not the 3 of tiles.csv in their order; cluster the tiles again"),
    ],
)
def test_what_was_spoilt_by_hand_is_named(tmp_path, line, said):
    write(tmp_path, NAMES, FOUND)
    path = tmp_path / "clusters.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], line, lines[3]]))
    with pytest.raises(UserError, match=said):
        read(tmp_path, NAMES)


def test_clusters_that_are_missing_or_of_other_tiles_are_refused(tmp_path):
    with pytest.raises(UserError, match="no such file; cluster the tiles first"):
        read(tmp_path, NAMES)
    write(tmp_path, NAMES, FOUND)
    with pytest.raises(UserError, match="its 3 tiles are not the 2 of"):
        read(tmp_path, NAMES[:2])
    (tmp_path / "clusters.csv").write_text("")
    with pytest.raises(UserError, match="there is no column name"):
        read(tmp_path, NAMES)


def two_kinds(first, second, filters=2):
    """Embeddings around 0, and embeddings around 10 in every dimension."""
    centres = np.repeat([0, 10], (first, second))[:, None]
    return np.float32(centres + np.random.default_rng(0).normal(0, 0.1, (len(centres), filters)))


def test_tiles_that_are_alike_lie_together_in_the_plane():
    embeddings = two_kinds(20, 20, filters=60)
    places = layout(embeddings, seed=0)
    assert (places.shape, places.dtype) == ((40, 2), np.float32)
    first, second = places[:20], places[20:]
    apart = np.linalg.norm(first.mean(axis=0) - second.mean(axis=0))
    assert apart > 2 * max(np.ptp(first, axis=0).max() / 2, np.ptp(second, axis=0).max() / 2)
    np.testing.assert_array_equal(layout(embeddings, seed=0), places)


def test_only_so_many_tiles_are_laid_out(monkeypatch):
    monkeypatch.setattr(clustering, "MOST_COMPARED", 12)
    places = layout(two_kinds(20, 10), seed=0)
    assert np.isfinite(places).all(axis=1).sum() == 12
    assert np.isnan(places).all(axis=1).sum() == 18


@pytest.mark.parametrize("embeddings", [[[1], [1], [1]], [[3]], [[1], [2]], [[1], [1], [1], [2], [5]]])
def test_few_or_equal_tiles_have_places_too(embeddings):
    assert np.isfinite(layout(np.float32(embeddings), seed=0)).all()
