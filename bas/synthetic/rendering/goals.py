"""The two goals: posts, crossbar and net."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float

from bas.synthetic.rendering.camera import PinholeCamera
from bas.synthetic.simulation.pitch import GOAL_DEPTH, GOAL_HALF_WIDTH, GOAL_HEIGHT, HALF_LENGTH

_MESH_METRES = 0.3
_BACK_TOP_METRES = 0.9
"""Depth of the net at the height of the crossbar, behind the goal line."""
POST_RADIUS = 0.075


@lru_cache(maxsize=8)
def net_points(side: int, points_per_metre: int) -> Float[np.ndarray, "points 3"]:
    """Return points along the strings of the net behind the line x = side * HALF_LENGTH."""
    lines: list[Float[np.ndarray, "points 3"]] = []

    def add_string(start: tuple[float, float, float], end: tuple[float, float, float]) -> None:
        length = float(np.linalg.norm(np.subtract(end, start)))
        share = np.linspace(0, 1, max(2, round(length * points_per_metre)))[:, None]
        lines.append(np.array(start) + share * np.subtract(end, start))

    for across in np.arange(-GOAL_HALF_WIDTH, GOAL_HALF_WIDTH + 0.01, _MESH_METRES):
        add_string((0.0, across, GOAL_HEIGHT), (_BACK_TOP_METRES, across, GOAL_HEIGHT))
        add_string((_BACK_TOP_METRES, across, GOAL_HEIGHT), (GOAL_DEPTH, across, 0.0))
    for share in np.linspace(0, 1, 9):
        depth = _BACK_TOP_METRES + share * (GOAL_DEPTH - _BACK_TOP_METRES)
        height = GOAL_HEIGHT * (1 - share)
        add_string((depth, -GOAL_HALF_WIDTH, height), (depth, GOAL_HALF_WIDTH, height))
        for across in (-GOAL_HALF_WIDTH, GOAL_HALF_WIDTH):
            add_string((0.0, across, height), (depth, across, height))
    for depth in np.arange(_MESH_METRES, _BACK_TOP_METRES, _MESH_METRES):
        add_string((depth, -GOAL_HALF_WIDTH, GOAL_HEIGHT), (depth, GOAL_HALF_WIDTH, GOAL_HEIGHT))
        for across in (-GOAL_HALF_WIDTH, GOAL_HALF_WIDTH):
            add_string((depth, across, GOAL_HEIGHT), (depth, across, 0.0))
    points = np.concatenate(lines)
    points[:, 0] = side * (HALF_LENGTH + points[:, 0])
    return points


def frame_ends(side: int) -> Float[np.ndarray, "ends 3"]:
    """Return the ends of the far post, the crossbar and the near post, in pairs."""
    line = side * HALF_LENGTH
    low, high = -GOAL_HALF_WIDTH, GOAL_HALF_WIDTH
    return np.array(
        [
            (line, high, 0), (line, high, GOAL_HEIGHT), (line, low, GOAL_HEIGHT), (line, high, GOAL_HEIGHT),
            (line, low, 0), (line, low, GOAL_HEIGHT),
        ]
    )  # fmt: skip


def in_view(side: int, camera: PinholeCamera, *, width: int, height: int) -> bool:
    """Return whether any part of a goal may be in the picture."""
    corners = camera.project(np.array([(side * (HALF_LENGTH + 1), y, 1.0) for y in (-5.0, 0.0, 5.0)]))
    margin = 3.5 * corners[:, 2]
    columns = (corners[:, 0] > -margin) & (corners[:, 0] < width + margin)
    rows = (corners[:, 1] > -margin) & (corners[:, 1] < height + margin)
    return bool((columns & rows).any())
