"""The page of keys is the schema's, and every link leads to a table."""

import re
from pathlib import Path

import recipe_reference

from kerasseg.recipe import schema

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == recipe_reference.page(schema())


def test_every_link_leads_to_a_section():
    text = PAGE.read_text(encoding="utf-8")
    sections = {title.lower() for title in re.findall(r"^## (\w+)$", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#(\w+)\)", text)) <= sections


def test_a_key_shows_its_kind_default_and_meaning():
    assert re.search(
        r"^\| `epochs` \| integer \(1 to \.\.\.\) \| `50` \| .+ \|$", PAGE.read_text("utf-8"), re.MULTILINE
    )
