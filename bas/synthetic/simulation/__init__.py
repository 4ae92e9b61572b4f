"""Simulation of one half: who moves, where the ball goes, which action when."""

from bas.synthetic.simulation.actions import Action, Move, ProfileName, profile
from bas.synthetic.simulation.people import NUM_PHASES, Pose
from bas.synthetic.simulation.pitch import (
    BOARDS_X,
    BOARDS_Y,
    GOAL_DEPTH,
    GOAL_HALF_WIDTH,
    GOAL_HEIGHT,
    HALF_LENGTH,
    HALF_WIDTH,
)
from bas.synthetic.simulation.play import Half, play_half
from bas.synthetic.simulation.schedule import FPS
from bas.synthetic.simulation.stage import Contact

__all__ = [
    "BOARDS_X",
    "BOARDS_Y",
    "FPS",
    "GOAL_DEPTH",
    "GOAL_HALF_WIDTH",
    "GOAL_HEIGHT",
    "HALF_LENGTH",
    "HALF_WIDTH",
    "NUM_PHASES",
    "Action",
    "Contact",
    "Half",
    "Move",
    "Pose",
    "ProfileName",
    "play_half",
    "profile",
]
