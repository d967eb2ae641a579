"""The models that come with the package, and how one is found by its name.

Each is a folder ``kerasseg/shipped/NAME`` that ``tools/ship_model.py`` has made of a finished run: its
recipe, its network, what one must know to use it, and a card. It is opened as any run's folder is.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import yaml

from kerasseg.errors import Notice, unknown

FOLDER = Path(__file__).resolve().parents[1] / "shipped"
CARD = "README.md"
FENCE = "---\n"  # above and below what programs read of a card


def shipped() -> dict[str, Path]:
    """List the shipped models: folders by name, sorted."""
    return {card.parent.name: card.parent for card in sorted(FOLDER.glob(f"*/{CARD}"))}


def located(path: Path) -> Path:
    """Find the folder of a model: what lies at the path, or else the shipped model of that name.

    Warns
    -----
    Notice
        If both are there; then it is the one at the path.
    """
    known = shipped()
    if str(path) not in known:
        return path
    if path.exists():
        warnings.warn(
            f"{path}: taking what lies here, and not the shipped model of that name; rename it to use that",
            Notice,
            stacklevel=2,
        )
        return path
    return known[str(path)]


def card_of(folder: Path) -> tuple[dict[str, Any], str]:
    """Read a shipped model's card.

    Returns
    -------
    facts : dict
        What programs read, YAML above the text: ``finds``, ``data``, ``license``, ``recipe``, ``scores`` of
        ``test_images``, and ``diameter`` of the objects in pixels.
    text : str
        Markdown, for people.
    """
    _, facts, text = (folder / CARD).read_text(encoding="utf-8").split(FENCE, 2)
    return yaml.safe_load(facts), text.lstrip()


def unknown_name(path: Path) -> str:
    """Say which shipped models there are, of a path that may be the name of one and is not."""
    known = shipped()
    if path.parent != Path() or path.exists() or not known:
        return ""
    return f"{unknown('shipped model', path.name, known)} (kerasseg models tells more)"
