"""Actions of a synthetic match: classes, moves, transition weights, and action frequencies.

The class shares and gaps of the profile `real` were measured on the seven public matches of
SoccerNet Ball Action Spotting 2024 (12,433 actions).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, assert_never

ProfileName = Literal["real", "even"]


class Action(StrEnum):
    """The twelve classes, in the official order."""

    PASS = "PASS"  # noqa: S105 - a kick, not a password
    DRIVE = "DRIVE"
    HEADER = "HEADER"
    HIGH_PASS = "HIGH PASS"  # noqa: S105
    OUT = "OUT"
    CROSS = "CROSS"
    THROW_IN = "THROW IN"
    SHOT = "SHOT"
    BLOCK = "BALL PLAYER BLOCK"
    TACKLE = "PLAYER SUCCESSFUL TACKLE"
    FREE_KICK = "FREE KICK"
    GOAL = "GOAL"


class Move(StrEnum):
    """An action and its situation: one state of the Markov chain that schedules a match."""

    PASS = "pass"  # noqa: S105
    KICK_OFF = "kick-off"
    DRIVE = "drive"
    HEADER = "header"
    HIGH_PASS = "high pass"  # noqa: S105
    GOAL_KICK = "goal kick"
    OUT_SIDE = "over the touchline"
    OUT_CORNER = "over the defender's own goal line"
    OUT_BEHIND = "over the goal line beside the goal"
    CROSS = "cross"
    CORNER = "corner"
    THROW_IN = "throw-in"
    SHOT = "shot"
    BLOCK = "block"
    TACKLE = "tackle"
    FREE_KICK = "free kick"
    GOAL = "goal"

    @property
    def action(self) -> Action:
        """Class under which this move is labelled."""
        return _ACTIONS.get(self) or Action[self.name]

    @property
    def is_restart(self) -> bool:
        """Whether the ball is dead before this move."""
        return self in _RESTARTS

    @property
    def leaves_play(self) -> bool:
        """Whether the ball is dead after this move."""
        return self in _STOPPAGES


_ACTIONS = {
    Move.KICK_OFF: Action.PASS,
    Move.GOAL_KICK: Action.HIGH_PASS,
    Move.OUT_SIDE: Action.OUT,
    Move.OUT_CORNER: Action.OUT,
    Move.OUT_BEHIND: Action.OUT,
    Move.CORNER: Action.CROSS,
}
_RESTARTS = {Move.KICK_OFF, Move.GOAL_KICK, Move.CORNER, Move.THROW_IN, Move.FREE_KICK}
_STOPPAGES = {Move.OUT_SIDE, Move.OUT_CORNER, Move.OUT_BEHIND, Move.GOAL}
LOFTED = frozenset({Move.HIGH_PASS, Move.GOAL_KICK, Move.CROSS, Move.CORNER})
"""Moves that send the ball high."""

_OPEN_PLAY = {"PASS": 10, "DRIVE": 16, "HIGH_PASS": 2, "CROSS": 1, "SHOT": 1, "OUT_SIDE": 1, "TACKLE": 0.2}
_FOLLOWERS: dict[str, dict[str, float]] = {
    "PASS": {**_OPEN_PLAY, "BLOCK": 0.6, "FREE_KICK": 0.1},
    "KICK_OFF": {"PASS": 1, "DRIVE": 1},
    "DRIVE": {"PASS": 16, "HIGH_PASS": 2, "CROSS": 2, "SHOT": 1.5, "TACKLE": 2, "OUT_SIDE": 0.5, "FREE_KICK": 1},
    "HEADER": {
        "PASS": 6, "DRIVE": 6, "HEADER": 4, "HIGH_PASS": 1, "OUT_SIDE": 3, "OUT_CORNER": 0.4, "OUT_BEHIND": 1,
        "SHOT": 0.5, "GOAL": 1, "BLOCK": 0.2,
    },
    "HIGH_PASS": {"HEADER": 8, "DRIVE": 5, "PASS": 3, "OUT_SIDE": 4, "HIGH_PASS": 0.3, "BLOCK": 0.5},
    "GOAL_KICK": {"HEADER": 6, "DRIVE": 2, "PASS": 1, "OUT_SIDE": 0.5},
    "OUT_SIDE": {"THROW_IN": 1},
    "OUT_CORNER": {"CORNER": 1},
    "OUT_BEHIND": {"GOAL_KICK": 3, "KICK_OFF": 0.001},
    "CROSS": {"HEADER": 6, "DRIVE": 1, "PASS": 1, "SHOT": 2, "BLOCK": 3, "OUT_BEHIND": 1.5, "HIGH_PASS": 0.5},
    "CORNER": {"HEADER": 6, "SHOT": 1, "DRIVE": 1, "OUT_BEHIND": 0.5, "HIGH_PASS": 0.5},
    "THROW_IN": {"PASS": 4, "DRIVE": 4, "HEADER": 4, "HIGH_PASS": 0.5, "TACKLE": 0.1, "CROSS": 0.2},
    "SHOT": {"OUT_BEHIND": 4, "OUT_CORNER": 1.5, "BLOCK": 5, "GOAL": 4, "PASS": 1, "HIGH_PASS": 1},
    "BLOCK": {
        "PASS": 4, "DRIVE": 5, "SHOT": 0.8, "OUT_SIDE": 3, "OUT_CORNER": 2, "HIGH_PASS": 1, "CROSS": 0.5, "HEADER": 0.5,
    },
    "TACKLE": {"DRIVE": 5, "PASS": 5, "HIGH_PASS": 1, "OUT_SIDE": 1, "FREE_KICK": 0.1},
    "FREE_KICK": {"HEADER": 4, "DRIVE": 2, "PASS": 2, "SHOT": 0.3, "BLOCK": 1, "GOAL": 0.5, "OUT_BEHIND": 0.6},
    "GOAL": {"KICK_OFF": 1, "FREE_KICK": 0.002, "THROW_IN": 0.002},
}  # fmt: skip
FOLLOWERS: dict[Move, dict[Move, float]] = {
    Move[name]: {Move[after]: weight for after, weight in weights.items()}
    for name, weights in _FOLLOWERS.items()
}
"""Unnormalized transition weights, by move and next move, before a profile rescales them to its class shares.

The tiny weights stand for broadcasts that return from a replay in another situation. Only the profile `even` needs
them.
"""


@dataclass(frozen=True, slots=True)
class Profile:
    """Class frequencies of a match, and the gaps between its actions."""

    counts: dict[Action, float]
    """Relative frequency of each class; only ratios matter."""
    gap_quantiles: tuple[tuple[float, float], ...]
    """Quantiles of the gaps between consecutive actions, as pairs (share of the gaps, seconds)."""
    balance_strength: float
    """Log-weight added to a class for each action that it lags behind its share; 0 leaves the chain as it is."""


def profile(name: ProfileName) -> Profile:
    """Return a profile by name.

    `real` has 18 actions per minute with the class shares of real matches, `even` 40 with equal shares.
    """
    match name:
        case "real":
            return Profile(dict(zip(Action, _REAL_COUNTS, strict=True)), _REAL_GAPS, balance_strength=0.0)
        case "even":
            return Profile(dict.fromkeys(Action, 1.0), _EVEN_GAPS, balance_strength=0.4)
        case _:
            assert_never(name)


_REAL_COUNTS = (4985.0, 4300.0, 713.0, 761.0, 551.0, 261.0, 362.0, 169.0, 223.0, 74.0, 21.0, 13.0)
_REAL_GAPS = (
    (0.0, 0.04), (0.029, 0.5), (0.1, 0.76), (0.208, 1.0), (0.25, 1.04), (0.5, 1.56), (0.75, 2.6), (0.9, 4.52),
    (1.0, 47.0),  # chosen, not measured: sets the mean rate to 18 actions per minute
)  # fmt: skip
_EVEN_GAPS = ((0.0, 0.12), (0.05, 0.44), (0.25, 0.92), (0.5, 1.28), (0.75, 1.92), (0.9, 2.8), (1.0, 3.76))
