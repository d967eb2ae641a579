"""What may become of a tile in the review queue."""

from __future__ import annotations

from dataclasses import replace

from kerasseg.errors import UserError, unknown
from kerasseg.labelling.queue.table import DECIDED, STATES, WAITING, Entry

# A decision may be changed and taken back; but no proposal takes the place of what a person labelled.
MAY_FOLLOW = {
    "selected": DECIDED,
    "proposed": DECIDED,
    "accepted": (*WAITING, "edited", "rejected"),
    "edited": ("accepted", "rejected"),
    "rejected": (*WAITING, "accepted", "edited"),
}
MAY_BE_PROPOSED = ("selected", "proposed", "rejected")


def decided(entry: Entry, state: str, who: str, when: str) -> Entry:
    """Let a person decide, or take a decision back; the same state again changes nothing.

    Parameters
    ----------
    entry : Entry
    state : str
        One of `STATES`; a decision is taken back to ``proposed`` where something proposed the shapes, and to
        ``selected`` otherwise.
    who, when : str
        Who decides, and the time.

    Raises
    ------
    UserError
        If there is no such state, or it may not follow.
    """
    if state not in STATES:
        raise UserError(unknown("state", state, STATES))
    if state == entry.state:
        return entry
    undone = "proposed" if entry.proposer else "selected"
    may_follow = [s for s in MAY_FOLLOW[entry.state] if s in DECIDED or s == undone]
    if state not in may_follow:
        raise UserError(
            f"tile {entry.tile} is {entry.state} and cannot become {state}; choose one of "
            f"{', '.join(may_follow)}"
        )
    is_decision = state in DECIDED
    return replace(entry, state=state, who=who if is_decision else "", when=when if is_decision else "")


def proposed(entry: Entry, proposer: str, uncertainty: float | None, score: float | None) -> Entry:
    """Note that something proposed shapes.

    Raises
    ------
    UserError
        If a person labelled the tile.
    """
    if entry.state not in MAY_BE_PROPOSED:
        raise UserError(f"tile {entry.tile} is {entry.state} by {entry.who}; nothing is proposed for it")
    told = {"proposer": proposer, "uncertainty": uncertainty, "score": score}
    return replace(entry, state="proposed", who="", when="", **told)


def edited(entry: Entry, who: str, when: str) -> Entry:
    """Note that a person drew; who is known to have edited a tile before stays its editor."""
    known = entry.who if entry.state == "edited" else ""
    return replace(entry, state="edited", who=known or who, when=when)
