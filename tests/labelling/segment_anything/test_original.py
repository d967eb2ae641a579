"""The original package as the judge, where it and PyTorch are installed.

Its generator runs with a stand-in for its predictor, which answers with random blobs of all sizes, and with
OpenCV's suppression for torchvision's, whose wheels do not load beside every PyTorch.
"""

import sys
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import pytest

from kerasseg.labelling.segment_anything.automatic import automatic_masks
from kerasseg.labelling.segment_anything.geometry import (
    Crop,
    crops,
    points_in,
    without_holes,
    without_islands,
)
from kerasseg.recipe.labelling import SegmentAnything

torch = pytest.importorskip("torch")
SIZE = (90, 120)


@pytest.fixture
def original(monkeypatch):
    for name in ("torchvision", "torchvision.ops", "torchvision.ops.boxes"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    boxes = sys.modules["torchvision.ops.boxes"]
    boxes.batched_nms, boxes.box_area = nms, lambda boxes: (boxes[:, 2:] - boxes[:, :2]).prod(1).float()
    for name in ("torchvision.transforms", "torchvision.transforms.functional"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    functional = sys.modules["torchvision.transforms.functional"]
    functional.resize = functional.to_pil_image = None
    package = pytest.importorskip("segment_anything")
    yield package
    for name in [name for name in sys.modules if name.partition(".")[0] == "segment_anything"]:
        monkeypatch.delitem(sys.modules, name)


def nms(boxes, scores, categories, iou_threshold):
    x0, y0, x1, y1 = boxes.numpy().astype(float).T
    rectangles = np.stack([x0, y0, x1 - x0, y1 - y0], axis=1)
    kept = cv2.dnn.NMSBoxes(rectangles.tolist(), (scores.numpy() + 1.0).tolist(), 0, iou_threshold)
    return torch.as_tensor(np.array(kept, np.int64))


class Blobs:
    """Answers at each point with three smooth random masks around it, the same for the same point."""

    def embed(self, image):
        return image.shape[:2]

    def masks(self, embedding, points):
        answers = [self._answers(embedding, *point) for point in points]
        return np.stack([logits for logits, _ in answers]), np.stack([iou for _, iou in answers])

    def enlarge(self, logits, size):
        return logits

    def _answers(self, size, x, y):
        random = np.random.default_rng([*size, int(x), int(y)])
        rows, columns = np.ogrid[: size[0], : size[1]]
        radii = random.uniform(3, 25, (3, 1, 1))
        distance = np.hypot(rows - y, columns - x)
        noise = cv2.GaussianBlur(random.normal(0, 12, (*size, 3)), (0, 0), 1.5).transpose(2, 0, 1)
        logits = (radii - distance) * random.uniform(1, 8, (3, 1, 1)) + noise
        return logits.astype(np.float32), random.uniform(0.5, 1, 3).astype(np.float32)


class Predictor:
    """What the original's generator asks of its predictor, answered by `Blobs`."""

    def __init__(self):
        self.model = SimpleNamespace(mask_threshold=0.0)
        self.transform = SimpleNamespace(apply_coords=lambda points, size: points)
        self.device = "cpu"

    def set_image(self, image):
        self.size = image.shape[:2]

    def reset_image(self):
        pass

    def predict_torch(self, points, labels, multimask_output, return_logits):
        logits, predicted = Blobs().masks(self.size, points[:, 0].numpy())
        return torch.as_tensor(logits), torch.as_tensor(predicted), None


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"pred_iou_thresh": 0.7, "stability_score_thresh": 0.5, "box_nms_thresh": 0.4},
        {"crop_n_layers": 1, "crop_n_points_downscale_factor": 2, "stability_score_thresh": 0.7},
        {"min_mask_region_area": 12, "stability_score_thresh": 0.6, "stability_score_offset": 2.0},
        {"crop_n_layers": 2, "crop_n_points_downscale_factor": 2, "min_mask_region_area": 12},
    ],
)
def test_the_same_records_in_the_same_order(original, monkeypatch, settings):
    module = sys.modules["segment_anything.automatic_mask_generator"]
    monkeypatch.setattr(module, "SamPredictor", lambda model: Predictor())
    settings = {"points_per_side": 8, "points_per_batch": 10, **settings}
    image = np.zeros((*SIZE, 3), np.uint8)
    judge = original.SamAutomaticMaskGenerator(None, **settings).generate(image)
    found = automatic_masks(image, Blobs(), SegmentAnything(**settings))
    assert len(found) == len(judge) > 2
    for ours, theirs in zip(found, judge, strict=True):
        np.testing.assert_array_equal(ours.mask, theirs["segmentation"])
        for name in ("area", "bbox", "predicted_iou", "stability_score", "crop_box"):
            np.testing.assert_allclose(getattr(ours, name), theirs[name], rtol=1e-6, err_msg=name)
        np.testing.assert_allclose([ours.point_coords], theirs["point_coords"])


@pytest.mark.parametrize("size", [(100, 100), (77, 301), (1000, 1500)])
@pytest.mark.parametrize("ratio", [0.0, 0.2, 512 / 1500])
def test_grids_and_crops_are_the_same(original, size, ratio):
    from segment_anything.utils import amg

    boxes, layers = amg.generate_crop_boxes(size, 3, ratio)
    cut = crops(size, 3, ratio)
    assert [(list(crop.box), crop.layer) for crop in cut] == list(zip(boxes, layers, strict=True))
    np.testing.assert_array_equal(points_in(Crop((0, 0, 1, 1), 0), 7, 1), amg.build_point_grid(7))


def test_small_regions_are_the_same(original):
    from segment_anything.utils import amg

    random = np.random.default_rng(1)
    for mask in random.random((20, 25, 30)) < random.uniform(0.2, 0.8, (20, 1, 1)):
        for ours, mode in ((without_holes, "holes"), (without_islands, "islands")):
            theirs, _ = amg.remove_small_regions(mask, 4, mode)
            np.testing.assert_array_equal(ours(mask, 4), theirs)
