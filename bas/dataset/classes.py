"""The vocabularies of SoccerNet's editions, in their official order."""

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
"""Ball action spotting 2024 and 2025; the order is that of SoccerNet's sn-teamspotting."""

BALL_CLASSES_2023 = BALL_CLASSES[:2]
"""Ball action spotting 2023."""

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
"""Action spotting of SoccerNet-v2."""
