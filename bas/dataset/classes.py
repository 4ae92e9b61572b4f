"""Class lists of the SoccerNet editions, in their official order."""

from __future__ import annotations

BALL_CLASSES = (
    "PASS",
    "DRIVE",
    "HEADER",
    "HIGH PASS",
    "OUT",
    "CROSS",
    "THROW IN",
    "SHOT",
    "BALL PLAYER BLOCK",
    "PLAYER SUCCESSFUL TACKLE",
    "FREE KICK",
    "GOAL",
)
"""Classes of ball action spotting 2024 and 2025, in the order of SoccerNet's sn-teamspotting."""

BALL_CLASSES_2023 = BALL_CLASSES[:2]
"""Classes of ball action spotting 2023."""

SOCCERNET_V2_CLASSES = (
    "Penalty",
    "Kick-off",
    "Goal",
    "Substitution",
    "Offside",
    "Shots on target",
    "Shots off target",
    "Clearance",
    "Ball out of play",
    "Throw-in",
    "Foul",
    "Indirect free-kick",
    "Direct free-kick",
    "Corner",
    "Yellow card",
    "Red card",
    "Yellow->red card",
)
"""Classes of SoccerNet-v2 action spotting."""
