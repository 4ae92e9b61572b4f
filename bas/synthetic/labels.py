"""Label files of a synthetic match, in the words of each dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, assert_never

from bas.clock import game_time
from bas.synthetic.actions import Action, Move
from bas.synthetic.layouts import Layout, MatchName
from bas.synthetic.plan import FPS
from bas.synthetic.stage import Contact

_SIDES = ("left", "right")


def document(
    layout: Layout, name: MatchName, halves: Sequence[Sequence[Contact]], *, half_frames: int
) -> dict[str, Any]:
    """The label file of one match.

    Args:
        layout: whose words to use.
        name: of the match.
        halves: the contacts of both halves.
        half_frames: length of the first half, which precedes the second where both share a file.
    """
    match layout:
        case "bas-2025" | "folder":
            return _ball(
                name, [_entry(c, h, _one_file(c, h, half_frames), _SIDES[c.side]) for h, c in _all(halves)]
            )
        case "bas-2024":
            return _ball(
                name, [_entry(c, h, _one_file(c, h, half_frames), _club(c, h)) for h, c in _all(halves)]
            )
        case "bas-2023":
            kept = [(h, c) for h, c in _all(halves) if c.move.action in (Action.PASS, Action.DRIVE)]
            return _ball(name, [_entry(c, h, (h, c.frame), _club(c, h)) for h, c in kept])
        case "soccernet-v2":
            return _soccernet(name, halves)
        case _:
            assert_never(layout)


def _all(halves: Sequence[Sequence[Contact]]) -> Iterator[tuple[int, Contact]]:
    for half, contacts in enumerate(halves, 1):
        for contact in contacts:
            yield half, contact


def _one_file(contact: Contact, half: int, half_frames: int) -> tuple[int, int]:
    return 1, contact.frame + (half_frames if half == 2 else 0)


def _club(contact: Contact, half: int) -> str:
    """Home plays on the left in the first half."""
    return "home" if (contact.side == 0) == (half == 1) else "away"


def _entry(contact: Contact, half: int, place: tuple[int, int], team: str) -> dict[str, str]:
    return _annotation(contact.move.action.value, place, team)


def _annotation(label: str, place: tuple[int, int], team: str) -> dict[str, str]:
    half, frame = place
    position_ms = frame * 1000 // FPS
    return {
        "gameTime": game_time(half, position_ms),
        "label": label,
        "position": str(position_ms),
        "team": team,
        "visibility": "visible",
    }


def _ball(name: MatchName, annotations: list[dict[str, str]]) -> dict[str, Any]:
    return {"UrlLocal": name.game_id, "UrlYoutube": "", "annotations": annotations}


def _soccernet(name: MatchName, halves: Sequence[Sequence[Contact]]) -> dict[str, Any]:
    annotations = []
    score = {"home": 0, "away": 0}
    for half, contacts in enumerate(halves, 1):
        moves = [contact.move for contact in contacts]
        for i, contact in enumerate(contacts):
            label = _soccernet_label(contact.move, moves[i + 1] if i + 1 < len(moves) else None)
            if label is not None:
                annotations.append(_annotation(label, (half, contact.frame), _club(contact, half)))
            if contact.move is Move.GOAL:
                score[_club(contact, half)] += 1
    return {
        "UrlLocal": name.game_id,
        "UrlYoutube": "",
        "gameAwayTeam": name.away,
        "gameDate": name.date,
        "gameHomeTeam": name.home,
        "gameScore": f"{score['home']} - {score['away']}",
        "annotations": annotations,
    }


def _soccernet_label(move: Move, following: Move | None) -> str | None:
    """The class of SoccerNet-v2 that a move belongs to, if any."""
    match move:
        case Move.GOAL:
            return "Goal"
        case Move.SHOT:
            wide = following in (Move.OUT_BEHIND, Move.BLOCK)
            return "Shots off target" if wide else "Shots on target"
        case Move.FREE_KICK:
            return "Direct free-kick" if following is Move.GOAL else "Indirect free-kick"
        case Move.OUT_SIDE | Move.OUT_BEHIND | Move.OUT_CORNER:
            return "Ball out of play"
        case Move.THROW_IN:
            return "Throw-in"
        case Move.CORNER:
            return "Corner"
        case Move.KICK_OFF:
            return "Kick-off"
        case Move.GOAL_KICK:
            return "Clearance"
        case _:
            return None
