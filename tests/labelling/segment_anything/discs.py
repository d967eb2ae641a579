"""A stand-in for the network: discs that it knows, and what it answers at points in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

SURE, UNSURE = 12.0, -12.0  # logits: a threshold moved by 1 changes nothing


def disc(size: tuple[int, int], y: float, x: float, radius: float) -> np.ndarray:
    rows, columns = np.ogrid[: size[0], : size[1]]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def picture(size: tuple[int, int], discs: Sequence[tuple[float, float, float]]) -> np.ndarray:
    """Draw discs (y, x, radius) as the image in which `Discs` sees them: (Y, X, 1) uint8, numbered from 1."""
    image = np.zeros((*size, 1), np.uint8)
    for number, each in enumerate(discs, start=1):
        image[disc(size, *each)] = number
    return image


@dataclass
class Discs:
    """Answers with all pixels of the image that have the value of the pixel at the point.

    The three answers of a point are the object, the same with its box one pixel larger and less sure, and all
    that is no background; background gives nothing at all.
    """

    predicted: dict[int, float] = field(default_factory=dict)
    embedded: list[tuple[int, ...]] = field(default_factory=list)

    def embed(self, image: np.ndarray) -> np.ndarray:
        self.embedded.append(image.shape)
        return image[..., 0]

    def masks(self, embedding: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        answers = [self._answer(embedding, *point) for point in points.astype(int)]
        return np.array([logits for logits, _ in answers]), np.array([iou for _, iou in answers], np.float32)

    def enlarge(self, logits: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        assert logits.shape == size
        return logits

    def _answer(self, embedding: np.ndarray, x: int, y: int) -> tuple[np.ndarray, list[float]]:
        number = int(embedding[y, x])
        mask = (embedding == number) & (number > 0)
        grown = mask.copy()
        grown[1:] |= mask[:-1]
        grown[:, 1:] |= mask[:, :-1]
        logits = np.where(np.stack([mask, grown, embedding > 0]), np.float32(SURE), np.float32(UNSURE))
        return logits, [self.predicted.get(number, 0.95), 0.9, 0.5]
