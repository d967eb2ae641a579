"""Embeddings of tiles: what they are, that they come again, and that nothing is ever half made."""

import csv
import json

import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.images.normalisation import Dtype, Minmax
from kerasseg.labelling import embedding
from kerasseg.labelling.embedding import describe_intensities, read_embeddings
from kerasseg.labelling.folder import read_tiles
from kerasseg.labelling.tiles import TilePixels


def labelling_folder(root, images, parts=None):
    """Write what cropping leaves: ``tiles.csv`` and the tiles of one row."""
    with (root / "tiles.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["name", "row", "column", "y", "x", "part", "mean", "deviation"])
        for at, image in enumerate(images):
            part = parts[at] if parts else "train"
            scaled = image / np.iinfo(image.dtype).max
            row = (0, at, 0, at * 8, part, round(scaled.mean(), 6), round(scaled.std(), 6))
            table.writerow([f"000-{at:03d}", *row])
            files.write(root / "tiles" / f"000-{at:03d}.png", image)
    return root


def embed(root, *, method="intensity", normalise=Dtype(), **settings):
    return embedding.embed(root, method=method, normalise=normalise, **settings)


def noise(count, size=16, channels=1, dtype=np.uint8):
    rng = np.random.default_rng(0)
    return list(rng.integers(0, np.iinfo(dtype).max, (count, size, size, channels), dtype, endpoint=True))


def state(root):
    return {path.name: path.stat().st_mtime_ns for path in root.iterdir() if path.is_file()}


def test_intensities_become_the_numbers_that_one_works_out_by_hand():
    tile = np.float32([[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1]])[None, ..., None]
    code = describe_intensities(np.concatenate([tile, tile / 2], axis=-1))
    assert code.shape == (1, 1, 1, 50)
    first, second = code.reshape(2, 25)
    # a quarter is 1: mean 1/4, variance 1/4 - 1/16
    np.testing.assert_allclose(first[:2], [0.25, np.sqrt(3) / 4], rtol=1e-6)
    # the 75th percentile lies at place 11.25 of 0 to 15, a quarter of the way from a 0 to a 1
    np.testing.assert_allclose(first[2:9], [0, 0, 0, 0, 0.25, 1, 1])
    np.testing.assert_allclose(first[9:], [0.75] + 14 * [0] + [0.25])
    np.testing.assert_allclose(second[:9], first[:9] / 2)
    np.testing.assert_allclose(second[9:], [0.75] + 7 * [0] + [0.25] + 7 * [0])


def test_codes_by_intensity_are_kept_in_the_order_of_tiles(tmp_path):
    dark, bright = np.zeros((8, 8, 1), np.uint16), np.full((8, 8, 1), 65535, np.uint16)
    root = labelling_folder(tmp_path, [bright, dark, bright])
    embeddings = embed(root, method="intensity", seed=0)
    assert (embeddings.shape, embeddings.dtype) == ((3, 1, 1, 25), np.float32)
    assert embeddings[:, 0, 0, 0].tolist() == [1, 0, 1]
    np.testing.assert_array_equal(read_embeddings(root, read_tiles(root)), embeddings)
    assert set(state(root)) == {"tiles.csv", "embeddings.npy", "embeddings.json"}


def test_intensities_are_stretched_for_all_tiles_alike(tmp_path):
    images = [np.full((8, 8, 1), value, np.uint8) for value in (10, 20, 30)]
    pixels = TilePixels(labelling_folder(tmp_path, images), read_tiles(tmp_path), Minmax())
    assert pixels.batch([0, 1, 2])[:, 0, 0, 0].tolist() == [0, 0.5, 1]


def test_tiles_of_any_size_reach_the_network_as_multiples_of_its_stride(tmp_path):
    image = np.arange(100, dtype=np.uint8).reshape(10, 10, 1)
    pixels = TilePixels(labelling_folder(tmp_path, [image]), read_tiles(tmp_path), Minmax())
    batch = pixels.batch([0], multiple_of=8)
    assert batch.shape == (1, 16, 16, 1)
    np.testing.assert_array_equal(batch[0, :10, 10:], batch[0, :10, 8:2:-1])  # mirrored


def test_the_same_again_is_done_already_and_anything_else_is_not(tmp_path):
    root = labelling_folder(tmp_path, noise(3))
    first = embed(root, method="intensity", seed=0)
    before = state(root)
    np.testing.assert_array_equal(embed(root, method="intensity", seed=0), first)
    assert state(root) == before
    embed(root, method="intensity", seed=0, normalise=Minmax())
    assert state(root)["embeddings.npy"] > before["embeddings.npy"]


def test_a_step_that_is_killed_leaves_nothing_that_counts(tmp_path, monkeypatch):
    root = labelling_folder(tmp_path, noise(3))
    embed(root, method="intensity", seed=0)

    def killed(*arguments, **how):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(
            embedding.json, "dumps", killed
        )  # after embeddings.npy, before what says that it counts
        with pytest.raises(KeyboardInterrupt):
            embed(root, method="intensity", seed=1)
    assert set(state(root)) == {"tiles.csv", "embeddings.npy"}
    with pytest.raises(UserError, match="missing or unfinished; embed the tiles"):
        read_embeddings(root, read_tiles(root))
    embed(root, method="intensity", seed=1)
    assert json.loads((root / "embeddings.json").read_text())["options"]["seed"] == 1


def test_codes_of_other_tiles_are_refused(tmp_path):
    root = labelling_folder(tmp_path, noise(3))
    embed(root, method="intensity", seed=0)
    labelling_folder(root, [255 - image for image in noise(3)])
    with pytest.raises(UserError, match=r"holds 3 embeddings of other tiles than the 3 in tiles.csv"):
        read_embeddings(root, read_tiles(root))


def test_damaged_codes_and_unlike_tiles_are_named(tmp_path):
    root = labelling_folder(tmp_path, noise(3))
    embed(root, method="intensity", seed=0)
    (root / "embeddings.npy").write_bytes(b"")
    with pytest.raises(UserError, match=r"embeddings.npy: it cannot be read .* embed the tiles again"):
        read_embeddings(root, read_tiles(root))
    (root / "embeddings.npy").unlink()
    files.write(root / "tiles" / "000-002.png", np.zeros((8, 8, 1), np.uint8))
    with pytest.raises(
        UserError, match=r"000-002.png: the tile is \(8, 8, 1\) uint8; expected \(16, 16, 1\)"
    ):
        embed(root, method="intensity", seed=0)
    with pytest.raises(UserError, match=r"'autoencodr'.*did you mean 'autoencoder'"):
        embed(root, method="autoencodr", seed=0)


def test_the_autoencoder_learns_and_comes_again_the_same(tmp_path):
    import keras

    root = labelling_folder(tmp_path, noise(6, channels=3), parts=["train"] * 5 + ["test"])
    embeddings = embed(root, method="autoencoder", epochs=2, batch_size=2, tiles=4, seed=3)
    assert (embeddings.shape, embeddings.dtype) == ((6, 2, 2, 8), np.float32)
    encoder = keras.models.load_model(root / "encoder.keras", safe_mode=True)
    pixels = np.stack(noise(6, channels=3)) / np.float32(255)
    np.testing.assert_allclose(encoder(pixels), embeddings, atol=1e-5)
    (root / "embeddings.json").unlink()
    np.testing.assert_array_equal(
        embed(root, method="autoencoder", epochs=2, batch_size=2, tiles=4, seed=3), embeddings
    )
    embed(root, method="intensity", seed=3)
    assert not (root / "encoder.keras").exists()


def test_it_learns_from_none_that_a_model_is_tested_on(tmp_path):
    from kerasseg.labelling.embedding_networks import draw_training_tiles

    parts = ["train", "test", "", "train", "train"]
    root = labelling_folder(tmp_path, noise(5), parts)
    pixels = TilePixels(root, read_tiles(root), Minmax())
    assert draw_training_tiles(pixels, 9, seed=0).tolist() == [0, 3, 4]
    draws = {tuple(draw_training_tiles(pixels, 2, seed=seed)) for seed in range(20)}
    assert draws == {(0, 3), (0, 4), (3, 4)}
    pixels.tiles = pixels.tiles[1:3]
    with pytest.raises(UserError, match="none of its 2 tiles is of the part train"):
        draw_training_tiles(pixels, 2, seed=0)


def test_an_efficientnet_s_deepest_features_are_averaged_over_the_tile(tmp_path, monkeypatch):
    import keras

    from kerasseg.labelling import embedding_networks

    asked = {}

    def encoder(input_shape, **arguments):
        asked.update(arguments)
        image = keras.Input(input_shape)
        return image, [None, image, keras.layers.AveragePooling2D(2)(image)]

    monkeypatch.setitem(embedding_networks.ENCODERS, "efficientnetb3", encoder)
    images = noise(3, channels=3)
    root = labelling_folder(tmp_path, images)
    embeddings = embed(
        root,
        method="efficientnet",
        encoder="efficientnetb3",
        encoder_weights="imagenet",
        encoder_weights_fallback="random",
        seed=0,
    )
    expected = np.mean(images, axis=(1, 2), keepdims=True) / 255
    np.testing.assert_allclose(embeddings, expected, rtol=1e-5)
    assert asked["encoder_weights"] == "imagenet"
    assert asked["encoder_weights_fallback"] == "random"
