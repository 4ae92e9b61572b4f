"""Pitch dimensions in metres: x along the touchline, y away from the cameras, z up, origin at the center spot."""

from __future__ import annotations

HALF_LENGTH = 52.5
HALF_WIDTH = 34.0
GOAL_HALF_WIDTH = 3.66
GOAL_HEIGHT = 2.44
GOAL_DEPTH = 2.0
BOARDS_X = 57.5
"""Distance of the advertising boards behind the goals from the center line."""
BOARDS_Y = 38.5
"""Distance of the boards along the touchlines from the middle of the pitch."""
