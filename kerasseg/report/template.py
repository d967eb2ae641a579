"""Pages and cards from templates: text with gaps that are filled in."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

JPEG, PNG, SVG = "image/jpeg", "image/png", "image/svg+xml"
SHARED = Path(__file__).parent  # whose style every page includes


def fill(template: Path, context: Mapping[str, Any], **filters: Callable[..., str]) -> str:
    """Fill a template in.

    Parameters
    ----------
    template : Path
        A file in Jinja's language, with the filters `number` and `moment`; it may include what lies beside it
        and `page.css`.
    context : mapping
        What its gaps name. In HTML whatever they hold is escaped.
    **filters : callable
        Further ways in which the template writes a value.

    Returns
    -------
    str
    """
    import jinja2  # a tenth of a second, and only a page needs it

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, SHARED]),
        autoescape=jinja2.select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": number, "moment": moment, **filters}
    return environment.get_template(template.name).render(context)


def number(value: float | None, digits: int = 3) -> str:
    """Write a number with its decimals, thousands apart; a dash where there is none."""
    if value is None or math.isnan(value):
        return "\N{EN DASH}"
    return f"{value:,.{digits}f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def moment(text: str) -> str:
    """Write an ISO 8601 moment as people do: ``21 November 2026, 04:05``."""
    when = datetime.fromisoformat(text)
    return f"{when.day} {when:%B %Y, %H:%M}"


def embedded(content: bytes, kind: str) -> str:
    """Turn a file's content into an address that holds it, ``data:image/png;base64,...``.

    Parameters
    ----------
    content : bytes
        The file.
    kind : str
        Its media type, such as ``"image/png"``.

    Returns
    -------
    str
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
