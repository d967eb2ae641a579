"""Pages and cards from templates: text with gaps, filled in with facts."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SHARED = Path(__file__).parent  # whose style every page includes


def fill(template: Path, facts: Mapping[str, Any], **filters: Callable[..., str]) -> str:
    """Fill a template in.

    Parameters
    ----------
    template : Path
        A file in Jinja's language; it may include what lies beside it and `page.css`.
    facts : mapping
        What its gaps name. In HTML whatever they hold is escaped.
    **filters : callable
        How the template may write a value, beside Jinja's own ways.

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
    environment.filters |= filters
    return environment.get_template(template.name).render(facts)


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
