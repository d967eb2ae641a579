import numpy as np
import pytest
from components import SOURCES

from kerasseg.errors import UserError
from kerasseg.synthetic.cells import phase_contrast, synthesize
from kerasseg.synthetic.origin import MARKER, is_synthetic

SIZE = (96, 128)


def test_the_reader_of_the_real_data_reads_them(tmp_path):
    root = tmp_path / "made/here"
    synthesize(root, images=4, size=SIZE, seed=1)
    samples = SOURCES["sartorius"](root, ["cell"])
    assert [sample.size for sample in samples] == [SIZE] * 4
    assert len({sample.attributes["sample_id"] for sample in samples}) == 2
    image, labels = phase_contrast(SIZE, np.random.default_rng((1, 2)))
    assert np.array_equal(samples[2].read()[..., 0], image)
    assert np.array_equal(samples[2].annotate().mask, labels > 0)


def test_their_origin_stays_known(tmp_path):
    assert not is_synthetic(tmp_path)
    synthesize(tmp_path / "made", images=1, size=SIZE)
    assert is_synthetic(tmp_path / "made")
    assert "no cell was ever here" in (tmp_path / "made" / MARKER).read_text()


def test_a_seed_decides():
    images = [phase_contrast(SIZE, np.random.default_rng(seed))[0].tobytes() for seed in (1, 1, 2)]
    assert images[0] == images[1] != images[2]


def test_an_empty_folder_is_filled_and_any_other_left_alone(tmp_path):
    synthesize(tmp_path, images=1, size=SIZE)
    with pytest.raises(UserError, match="never replace"):
        synthesize(tmp_path, images=1, size=SIZE)


def test_nothing_half_written_stays(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kerasseg.synthetic.cells.write", full)
    with pytest.raises(UserError, match="No space left"):
        synthesize(tmp_path / "made", images=1, size=SIZE)
    assert list(tmp_path.iterdir()) == []


def test_cells_look_like_phase_contrast():
    """Bodies are darker than the ground and have a brighter rim around them; some touch."""
    fields = [phase_contrast((260, 352), np.random.default_rng(seed)) for seed in range(6)]
    ground = np.mean([np.median(image[labels == 0]) for image, labels in fields])
    assert np.mean([image[labels > 0].mean() for image, labels in fields]) < ground - 5
    rims = [image[_rim(labels > 0)].mean() for image, labels in fields]
    assert np.mean(rims) > ground + 5
    assert any(_touch(labels) for _, labels in fields)


def _rim(cells):
    near = np.zeros_like(cells)
    for step in (3, 4):
        for axis in (0, 1):
            near |= np.roll(cells, step, axis) | np.roll(cells, -step, axis)
    return near & ~cells


def _touch(labels):
    left, right = labels[:, :-1], labels[:, 1:]
    return bool(((left != right) & (left > 0) & (right > 0)).any())
