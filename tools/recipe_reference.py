"""Every key of a recipe as a page, from the JSON Schema that editors read.

    python tools/recipe_reference.py > docs/recipes.md

A test compares the page with the schema, so that neither is forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from kerasseg.recipe import schema

INTRODUCTION = """\
# Every key of a recipe

This page is made by `python tools/recipe_reference.py > docs/recipes.md` from the schema that editors read.
Only `name`, `data` and `model` must be there; a file with `stages` is a [cascade](cascades.md) of recipes.
Where a value is one of several components, write its name for its defaults (`loss: dice`), or its name with
arguments (`loss: {dice: {smooth: 1.0}}`).
"""

Schema = Mapping[str, Any]


def page(document: Schema) -> str:
    """Write the page.

    Parameters
    ----------
    document : mapping
        The recipe's JSON Schema.

    Returns
    -------
    str
        Markdown: a table for the recipe and the cascade, then one for each section and component that they
        lead to, in order.
    """
    sections = document["$defs"]
    recipe, alone = sections["Recipe"], document["else"]["required"]  # in a stage it needs less
    queue = [("Recipe", {**recipe, "required": [*recipe["required"], *alone]})]
    queue.append(("CascadeRecipe", sections["CascadeRecipe"]))
    listed = {title for title, _ in queue}
    parts = [INTRODUCTION]
    for title, section in queue:
        parts.append(table(title, section, sections))
        for value in section["properties"].values():
            for name in references(value):
                if name not in listed:
                    listed.add(name)
                    queue.append((name, sections[name]))
    return "\n".join(parts)


def table(title: str, section: Schema, sections: Schema) -> str:
    """Write one section's keys: what each takes, its default, and what it means."""
    lines = [f"## {title}", ""]
    if component := component_of(section):
        lines += [f"Written as `{component}`. {section['properties'][component].get('description', '')}", ""]
        section = section["properties"][component]
    else:
        lines += [section.get("description", ""), ""]
    if section.get("properties"):
        lines += ["| key | takes | default | |", "|---|---|---|---|"]
    required = section.get("required", ())
    for key, value in section.get("properties", {}).items():
        default = "**must be there**" if key in required else f"`{json.dumps(value.get('default'))}`"
        cells = (f"`{key}`", takes(value, sections), shortened(default), value.get("description", ""))
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join([*lines, ""])


def component_of(section: Schema) -> str | None:
    """Return the name of a component, whose one key holds its arguments; None for any other section."""
    names = list(section.get("properties", ()))
    return names[0] if len(names) == 1 and "properties" in section["properties"][names[0]] else None


def references(value: Any) -> list[str]:
    """List the sections that a value of the schema refers to."""
    if isinstance(value, Mapping):
        own = [value["$ref"].rsplit("/", 1)[-1]] if "$ref" in value else []
        return own + [name for inner in value.values() for name in references(inner)]
    return [name for inner in value for name in references(inner)] if isinstance(value, list) else []


def takes(value: Schema, sections: Schema) -> str:
    """Say in a few words what may stand at a key."""
    return " or ".join(dict.fromkeys(kinds(value, sections))) or "anything"


def kinds(value: Schema, sections: Schema) -> Iterator[str]:
    """List the kinds of values that a schema allows."""
    choices = value.get("anyOf", ())
    names_only = {"enum"} if any("$ref" in choice for choice in choices) else set()
    for choice in choices:
        if not names_only & choice.keys():  # a component's bare name: the links beside say it
            yield from kinds(choice, sections)
    if "$ref" in value:
        name = value["$ref"].rsplit("/", 1)[-1]
        yield f"[{component_of(sections[name]) or name}](#{name.lower()})"
    elif "const" in value:
        yield f"`{value['const']}`"
    elif "enum" in value:
        yield from (f"`{choice}`" for choice in value["enum"])
    elif value.get("type") == "array":
        items = value.get("prefixItems") or [value.get("items", {})]
        yield "list of " + ", ".join(dict.fromkeys(takes(item, sections) for item in items))
    elif "type" in value:
        low = value.get("minimum", value.get("exclusiveMinimum"))
        high = value.get("maximum", value.get("exclusiveMaximum"))
        bounds = "" if low is None and high is None else f" ({bound(low)} to {bound(high)})"
        yield {"null": "`null`", "object": "a mapping", "boolean": "`true` or `false`"}.get(
            value["type"], value["type"] + bounds
        )


def bound(value: float | None) -> str:
    """Write the end of a range; three dots where it is open."""
    return "..." if value is None else f"{value:g}"


def shortened(default: str) -> str:
    """Leave out what stands in full in the component's own table."""
    return default if len(default) < 60 else "see there"


if __name__ == "__main__":
    print(page(schema()), end="")
