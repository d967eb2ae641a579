"""Similarity of images: by eye, by scikit-image, and on real digits."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from kerasseg.errors import UserError
from kerasseg.metrics import similarity
from kerasseg.metrics.similarity import MEASURES


@pytest.fixture(scope="module")
def digits(shared_data):
    """The 1,000 digits that nothing is trained on, (N, Y, X) in [0, 1]."""
    file = shared_data / "mnist_6k" / "mnist_6k.npz"
    if not file.is_file():
        pytest.skip(f"no digits here: {file}")
    return np.load(file)["images"][5000:] / 255


def test_errors_by_eye():
    image, other = np.array([[[0, 4]], [[0, 0]]]), np.array([[[0, 0]], [[0, 0]]])
    assert similarity.mse(image, other) == 4
    assert similarity.mse(image, other, span=4) == 0.25
    assert similarity.rmse(image, other) == pytest.approx(
        np.sqrt(8) / 2
    )  # the mean over planes, not its root


def test_global_ssim_by_eye():
    image, other = np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]])
    c2 = 0.03**2
    assert similarity.ssim_global(image, other) == pytest.approx((-0.5 + c2) / (0.5 + c2))
    assert similarity.ssim_global(image * 255, other * 255, span=255) == similarity.ssim_global(image, other)


@pytest.mark.parametrize(
    ("measure", "value"), [("ssim_global", 1), ("ssim_11", 1), ("ssim_paper", 1), ("mse", 0)]
)
def test_an_image_is_like_itself(measure, value):
    image = np.random.default_rng(0).integers(0, 256, (20, 30)).astype(np.uint8)
    assert MEASURES[measure](image, image, 255) == pytest.approx(value)


def test_ssim_11_is_scikit_images():
    random = np.random.default_rng(1)
    image = random.integers(0, 65536, (40, 23)).astype(np.uint16)
    other = np.clip(image + random.normal(0, 9000, image.shape), 0, 65535).astype(np.uint16)
    judged = structural_similarity(
        image, other, data_range=65535, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert similarity.ssim_11(image, other, 65535) == pytest.approx(judged, abs=1e-12)


def test_planes_are_averaged():
    random = np.random.default_rng(2)
    images, others = random.random((2, 3, 15, 16))
    for name, measure in MEASURES.items():
        each = [measure(*pair) for pair in zip(images, others, strict=True)]
        assert measure(images, others) == pytest.approx(np.mean(each)), name


def test_black_on_digits(digits):
    black = np.zeros_like(digits)
    measured = {name: measure(digits, black) for name, measure in MEASURES.items()}
    wanted = {"ssim_global": 0, "ssim_11": 0.0876, "ssim_paper": 0.7222, "rmse": 0.3411, "mse": 0.1192}
    assert measured == pytest.approx(wanted, abs=0.002)


def test_a_bitmap_of_digits(digits):
    bitmap = digits > 0.5
    assert bitmap.sum() / len(digits) == pytest.approx(109.5, abs=0.1)
    measured = [similarity.ssim_global, similarity.ssim_11, similarity.rmse]
    assert [measure(digits, bitmap) for measure in measured] == pytest.approx(
        [0.9596, 0.9226, 0.0916], abs=0.002
    )


def test_what_cannot_be_compared():
    with pytest.raises(UserError, match=r"no window of 11 x 11; compare it by ssim_global"):
        similarity.ssim_11(np.zeros((10, 50)), np.zeros((10, 50)))
    with pytest.raises(UserError, match=r"shapes \(2, 3\) and \(3, 2\) were compared"):
        similarity.mse(np.zeros((2, 3)), np.zeros((3, 2)))
