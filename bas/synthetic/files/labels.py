"""Label files of a synthetic match, in the format of each dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from bas.clock import game_time
from bas.synthetic.files.layouts import LayoutName, MatchName
from bas.synthetic.simulation.actions import Action, Move
from bas.synthetic.simulation.schedule import FPS
from bas.synthetic.simulation.stage import Contact

_SIDES = ("left", "right")


def label_document(
    layout: LayoutName, name: MatchName, halves: Sequence[Sequence[Contact]], *, half_frames: int
) -> dict[str, Any]:
    """Return the contents of a match's label file.

    Args:
        layout: dataset whose format to use.
        name: identity of the match.
        halves: contacts of the two halves.
        half_frames: length of the first half. Where both halves share a video, it is added to the second half's times.
    """
    if layout == "soccernet-v2":
        return _soccernet_document(name, halves)
    annotations = []
    for half, contacts in enumerate(halves, 1):
        for contact in contacts:
            # Where both halves share one video, it counts as half 1.
            time = 1, contact.frame + (half_frames if half == 2 else 0)
            match layout:
                case "bas-2025" | "folder":
                    team = _SIDES[contact.side]
                case "bas-2024":
                    team = _club_side(contact, half)
                case "bas-2023":
                    if contact.move.action not in (Action.PASS, Action.DRIVE):
                        continue
                    time, team = (half, contact.frame), _club_side(contact, half)
                case _:
                    assert_never(layout)
            annotations.append(_annotation(contact.move.action.value, time, team))
    return {"UrlLocal": name.game_id, "UrlYoutube": "", "annotations": annotations}


def _club_side(contact: Contact, half: int) -> str:
    """Return "home" or "away"; the home team plays on the left in the first half."""
    return "home" if (contact.side == 0) == (half == 1) else "away"


def _annotation(label: str, time: tuple[int, int], team: str) -> dict[str, str]:
    half, frame = time
    position_ms = frame * 1000 // FPS
    return {
        "gameTime": game_time(half, position_ms),
        "label": label,
        "position": str(position_ms),
        "team": team,
        "visibility": "visible",
    }


def _soccernet_document(name: MatchName, halves: Sequence[Sequence[Contact]]) -> dict[str, Any]:
    annotations = []
    score = {"home": 0, "away": 0}
    for half, contacts in enumerate(halves, 1):
        moves = [contact.move for contact in contacts]
        for contact, following in zip(contacts, [*moves[1:], None], strict=False):
            label = _soccernet_label(contact.move, following)
            if label is not None:
                annotations.append(_annotation(label, (half, contact.frame), _club_side(contact, half)))
            if contact.move is Move.GOAL:
                score[_club_side(contact, half)] += 1
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
    """Return the SoccerNet-v2 class of a move, or None if it has none."""
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
