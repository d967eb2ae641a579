"""Selectors: numbers measured on real digits and a real microscope, budgets, shapes, and what is refused."""

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseg.compact import field, kernels, keypoints_file, pursuit, selection, selectors
from kerasseg.compact.rebuilding import rebuild
from kerasseg.compact.selection import points_of, select, suggested
from kerasseg.compact.selectors import SELECTORS
from kerasseg.errors import UserError
from kerasseg.metrics.similarity import MEASURES, ssim_11

UNTRAINED = [name for name in SELECTORS if name != "network"]
HALF = {"options": {"threshold": 0.5}}
GAUSSIAN_SUM = {"kernel": kernels.gaussian(norm="sum")}
AIRY_SUM = {"kernel": kernels.psf(0.5, 1.4, 0.0735, norm="sum")}  # 2.5 pixels wide at half height
MEAN_SUM = {"kernel": kernels.mean(norm="sum")}


@pytest.fixture(scope="module")
def digits(shared_data):
    """The 1,000 digits that nothing is trained on, (N, Y, X) uint8."""
    file = shared_data / "mnist_6k" / "mnist_6k.npz"
    if not file.is_file():
        pytest.skip(f"no digits here: {file}")
    return np.load(file)["images"][5000:]


@pytest.fixture(scope="module")
def mitochondria(shared_data):
    """A channel of HeLa cells, (448, 512), brought to 8 bits between the percentiles 0.1 and 99.9."""
    file = shared_data / "neubias" / "xyc_16bit__hela-cells.tif"
    if not file.is_file():
        pytest.skip(f"no HeLa cells here: {file}")
    image = tifffile.imread(file)[:448, :512, 1].astype(float)
    low, high = np.percentile(image, [0.1, 99.9])
    return np.rint(255 * np.clip((image - low) / (high - low), 0, 1)).astype(np.uint8)


@pytest.mark.parametrize(
    ("method", "arguments", "wanted"),
    [
        ("bitmap", HALF, {"points": 109.5, "ssim_global": 0.9596, "ssim_11": 0.9226, "rmse": 0.0916}),
        (
            "zhang_suen",
            HALF | GAUSSIAN_SUM,
            {"points": 35.2, "mse": 0.0628, "ssim_global": 0.3169, "ssim_11": 0.3651, "ssim_paper": 0.8295},
        ),
        ("zhang_suen", HALF | MEAN_SUM, {"mse": 0.0753}),
        ("zhang_suen", HALF | AIRY_SUM, {"mse": 0.0622}),
        ("zhang_suen", HALF, {"ssim_global": 0.8380, "ssim_11": 0.7469, "rmse": 0.1639}),
        ("guo_hall", HALF | GAUSSIAN_SUM, {"points": 35.0, "mse": 0.0630}),
        ("canny", {}, {"points": 86.6, "ssim_global": 0.415, "ssim_11": 0.157, "rmse": 0.396}),
        ("brightest", {"budget": 39}, {"points": 39, "ssim_global": 0.707, "ssim_11": 0.551, "rmse": 0.230}),
        (
            "pursuit",
            {"budget": 39},
            {"points": 18.5, "ssim_global": 0.9317, "ssim_11": 0.8662, "rmse": 0.1064},
        ),
        ("pursuit", {"budget": 10}, {"ssim_global": 0.6588, "rmse": 0.1912}),
    ],
)
def test_digits_are_as_was_measured(digits, method, arguments, wanted):
    points = [select(digit, "YX", method, **arguments) for digit in digits]
    again = np.stack([rebuild(each) for each in points])
    if "points" in wanted:
        assert np.mean([len(each) for each in points]) == pytest.approx(wanted["points"], abs=0.05)
    measured = {name: MEASURES[name](digits, again, 255) for name in wanted if name != "points"}
    assert measured == pytest.approx({name: wanted[name] for name in measured}, abs=0.002)


def test_a_microscopes_field_in_bytes_really_written(mitochondria):
    points = select(mitochondria, "YX", "hybrid", budget="1%")
    assert len(points) == round(0.01 * mitochondria.size)
    assert ssim_11(mitochondria, rebuild(points), 255) >= 0.88
    assert len(keypoints_file.encode(points)) <= 5000  # 4,691 when this was written


def test_a_thumbnail_alone(mitochondria):
    points = select(mitochondria, "YX", "hybrid", budget=1, options={"distance": 0})
    assert ssim_11(mitochondria, rebuild(points), 255) == pytest.approx(0.757, abs=0.002)


def test_the_least_number_of_points_for_a_likeness(mitochondria):
    image = mitochondria[:200, :200]
    points = select(image, "YX", "hybrid", ssim=0.85)
    fewer = select(image, "YX", "hybrid", budget=round(0.95 * len(points)))
    span = int(image.max()) - int(image.min())
    assert ssim_11(image, rebuild(points), span) >= 0.85 > ssim_11(image, rebuild(fewer), span)


@pytest.mark.parametrize("method", UNTRAINED)
def test_a_budget_is_kept(mitochondria, method):
    points = select(mitochondria, "YX", method, budget=500)
    assert len(points) == 500 if method not in ("lattice",) else 450 < len(points) <= 500
    order = np.ravel_multi_index(points.positions.T, points.shape)
    assert np.all(np.diff(order) > 0)


@pytest.mark.parametrize("method", ["hybrid", "grey"])
def test_sixteen_bits_channels_and_planes_at_once(method):
    random = np.random.default_rng(0)
    image = random.integers(0, 500, (2, 3, 40, 33, 2)).astype(np.uint16)
    blob = kernels.gaussian(1.5, 7).values[..., None]
    image[1, 2, 17:24, 17:24] += np.rint(blob * (60000, 30000)).astype(np.uint16)
    points = select(image, "TZYXC", method, budget=40, pixel_size=(None, 0.1, 0.1))
    assert points.amplitudes.shape == (40, 2)
    assert points.pixel_size == (None, 0.1, 0.1)
    again = rebuild(points)
    assert (again.shape, again.dtype) == (image.shape, image.dtype)
    assert again[1, 2, 20, 20] == pytest.approx(image[1, 2, 20, 20], rel=0.1)
    assert keypoints_file.KeyPointsFile.of_bytes(keypoints_file.encode(points)).points() == points


@pytest.mark.parametrize("method", ["hybrid", "grey", "pursuit"])
def test_there_are_no_seams(monkeypatch, mitochondria, method):
    image = mitochondria[:150, :170]
    whole = select(image, "YX", method, budget="2%")
    monkeypatch.setattr(pursuit, "BLOCK", 32)
    for module in (field, selection, selectors):
        monkeypatch.setattr(module, "BAND", 32)
    assert select(image, "YX", method, budget="2%") == whole


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(UNTRAINED), st.lists(st.integers(1, 12), min_size=2, max_size=4), st.integers(0, 3))
def test_any_shape_and_any_levels(method, shape, levels):
    axes = "TZYX"[-len(shape) :]
    image = np.random.default_rng(len(shape)).integers(0, levels + 1, shape).astype(np.uint8)
    points = select(image, axes, method, budget=1, kernel=kernels.pixel())
    assert len(points) <= 1
    again = rebuild(points)
    assert again.shape == image.shape
    assert again.min() >= image.min()
    assert again.max() <= image.max()


def test_a_bitmap_of_two_levels_is_lossless():
    image = np.where(np.random.default_rng(0).random((3, 20, 31)) < 0.3, 900, 100).astype(np.uint16)
    assert np.array_equal(rebuild(select(image, "ZYX", "bitmap")), image)


def test_a_budget_in_words():
    assert points_of("3%", 784) == 24
    assert points_of("0.001%", 784) == 1
    assert points_of(5, 784) == points_of("5", 784) == 5
    assert points_of("100%", 784) == points_of(784.0, 784) == 784
    for wrong in (0, -1, "0%", "101%", "nan%", 0.5, 2.7, "nan", "inf", "many", ""):
        with pytest.raises(UserError, match=f"a budget of '{wrong}'; expected a number of points such as"):
            points_of(wrong, 784)
    for many in (785, "1e99"):
        with pytest.raises(UserError, match=f"a budget of {many} points; expected at most the 784 pixels"):
            points_of(many, 784)


def test_what_an_image_suggests(digits, mitochondria):
    assert suggested(digits[0], "YX")[0] == "pursuit"
    method, reason = suggested(mitochondria, "YX")
    assert method == "hybrid"
    assert reason.startswith("hybrid: the image has grey levels (")
    assert suggested(np.zeros((9, 9, 3), np.uint8), "YXC")[0] == "hybrid"
    assert suggested(np.zeros((9, 9), np.uint8), "YX")[0] == "hybrid"
    assert suggested(np.full((9, 9), 7, np.uint8), "YX")[1] == "hybrid: all pixels of the image are equal."


@pytest.mark.parametrize(
    ("image", "axes", "method", "message"),
    [
        (
            np.zeros((9, 9, 3), np.uint8),
            "YXC",
            "pursuit",
            r"3 channels, and pursuit takes grey images; .*hybrid, grey",
        ),
        (np.zeros((0, 9), np.uint8), "YX", "hybrid", r"the image of shape \(0, 9, 1\) is empty"),
        (
            np.zeros((6, 9), np.uint8),
            "YX",
            "hybrid",
            "the kernel of 7 x 7 pixels is larger than the image of 6 x 9",
        ),
        (np.zeros((9, 9), np.float32), "YX", "hybrid", "read as float32; expected uint8 or uint16"),
        (np.zeros((9, 9), np.uint8), "XY", "hybrid", "axes XY .*expected Y and X last"),
        (np.zeros((9, 9), np.uint8), "YX", "hybird", "unknown method 'hybird'.*did you mean 'hybrid'"),
    ],
)
def test_what_is_refused(image, axes, method, message):
    with pytest.raises(UserError, match=message):
        select(image, axes, method)


def test_likenesses_that_cannot_be_had(mitochondria):
    with pytest.raises(UserError, match=r"an SSIM of 1\.5; expected a number above 0 and below 1"):
        select(mitochondria, "YX", "hybrid", ssim=1.5)
    with pytest.raises(
        UserError, match=r"an SSIM of 0.9 is not reached: \d+ points, all that pursuit has, give"
    ):
        select(mitochondria, "YX", "pursuit", ssim=0.9)


def network(image, axes="YX", **chosen):
    """Let a network that is as sure as pixels are bright choose, told in bands of two rows."""

    def probabilities(pixels):
        for row in range(0, len(pixels), 2):
            yield slice(row, row + 2), pixels[row : row + 2, :, 0] / np.float32(255)

    options = {"probabilities": probabilities, "threshold": 0.5}
    return select(image, axes, "network", kernel=kernels.pixel(), options=options, **chosen)


def test_a_network_chooses_from_its_threshold_on_or_the_most_probable():
    image = np.array([[0, 200, 100], [255, 0, 0], [0, 130, 127]], np.uint8)
    assert network(image).positions.tolist() == [[0, 1], [1, 0], [2, 1]]
    assert network(image, budget=2).positions.tolist() == [[0, 1], [1, 0]]
    assert len(network(image, budget=8)) == 8
    with pytest.raises(UserError, match="network takes 2-D images"):
        network(image[None], axes="ZYX")
