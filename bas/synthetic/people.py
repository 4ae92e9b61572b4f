"""Twenty-two players and a referee: team shapes, runs, and the few who have an appointment with the ball."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from bas.synthetic.pitch import HALF_LENGTH, HALF_WIDTH

LEFT, RIGHT = 0, 1
KEEPERS = (0, 11)
REFEREE = 22
NUM_PEOPLE = 23
ATTACK = np.array([1.0, -1.0])
"""Direction in which the left and the right team play."""

_REACTION_FRAMES = 3
_SHAPE_SPEED = 6.5

_SHAPE = np.array(
    [
        (-48, 0), (-24, -20), (-27, -7), (-27, 7), (-24, 20), (-6, -18), (-9, -6), (-9, 6), (-6, 18), (10, -7), (10, 7),
    ],
    dtype=float,
)  # fmt: skip
"""4-4-2 of a team that plays to the right, ball in the center."""


def team_of(person: int) -> int:
    """LEFT or RIGHT."""
    return person // 11


def outfield(side: int) -> Int[np.ndarray, "10"]:
    """The field players of a team."""
    return np.arange(1, 11) + 11 * side


def shape(ball: Float[np.ndarray, "2"], *, possession: int) -> Float[np.ndarray, "23 2"]:
    """Where everybody would like to be: the block follows the ball and closes around it."""
    places = np.empty((NUM_PEOPLE, 2))
    for side in (LEFT, RIGHT):
        along = ATTACK[side] * ball[0]
        places[11 * side : 11 * side + 11] = _SHAPE * (0.78, 0.72)
        block = places[11 * side + 1 : 11 * side + 11]
        block[:, 0] += 0.72 * along + (9 if side == possession else 1)
        block[:, 1] += 0.45 * ball[1] * (1 if side == LEFT else -1)
        places[11 * side] = (-50 + 4 * (along + 52) / 105, 0.06 * ball[1])
        places[11 * side : 11 * side + 11] *= ATTACK[side]
    places[KEEPERS[RIGHT], 1] *= -1
    places[REFEREE] = ball + np.array([-7 * np.sign(ball[0] + 0.1), 9])
    return np.clip(places, (-HALF_LENGTH + 1, -HALF_WIDTH + 1), (HALF_LENGTH - 1, HALF_WIDTH - 1))


class People:
    """Positions and velocities, frame by frame; who has a script follows it, the others keep the shape."""

    def __init__(self, *, fps: int, rng: np.random.Generator) -> None:
        self._fps = fps
        self._rng = rng
        self._scripts: dict[int, Float[np.ndarray, "frames 2"]] = {}
        self.place(np.zeros(2), possession=LEFT)

    def place(self, ball: Float[np.ndarray, "2"], *, possession: int) -> None:
        """Start a scene: everybody stands in the shape, a little untidily."""
        self._wander = self._rng.normal(0, 1.5, (NUM_PEOPLE, 2))
        self._goal = shape(ball, possession=possession) + self._wander
        self._push = np.zeros((NUM_PEOPLE, 2))
        self._frames_until_thought = 0
        self.position = self._goal.copy()
        self.velocity = np.zeros((NUM_PEOPLE, 2))
        self._scripts.clear()

    def script(self, person: int, path: Float[np.ndarray, "frames 2"]) -> None:
        """Let a person follow `path` from the next frame on."""
        self._scripts[person] = path

    def step(self, ball: Float[np.ndarray, "2"], *, possession: int, pressing: float) -> None:
        """One frame: the nearest opponent presses to `pressing` metres, three mates offer themselves."""
        if self._frames_until_thought == 0:
            self._think(ball, possession=possession, pressing=pressing)
            self._frames_until_thought = _REACTION_FRAMES
        self._frames_until_thought -= 1
        wanted = (self._goal - self.position) * 1.1
        speed = np.sqrt((wanted**2).sum(axis=1, keepdims=True))
        wanted *= np.minimum(1, _SHAPE_SPEED / np.maximum(speed, 1e-6))
        self.velocity += (wanted - self.velocity) * 0.12
        moved = self.position + (self.velocity + self._push) / self._fps
        for person, path in list(self._scripts.items()):
            self.velocity[person] = (path[0] - self.position[person]) * self._fps
            moved[person] = path[0]
            if len(path) == 1:
                del self._scripts[person]
            else:
                self._scripts[person] = path[1:]
        self.position = moved

    def _think(self, ball: Float[np.ndarray, "2"], *, possession: int, pressing: float) -> None:
        """Decide where everybody wants to be."""
        self._wander += self._rng.normal(0, 0.17, (NUM_PEOPLE, 2)) - 0.03 * self._wander
        self._goal = shape(ball, possession=possession) + self._wander
        away = self.position - ball
        distance = np.sqrt((away**2).sum(axis=1))
        order = [person for person in np.argsort(distance).tolist() if person not in (*KEEPERS, REFEREE)]
        opponents = [person for person in order if team_of(person) != possession]
        mates = [person for person in order if team_of(person) == possession]
        to_own_goal = np.array([-ATTACK[1 - possession] * HALF_LENGTH, 0.0]) - ball
        to_own_goal /= max(float(np.hypot(*to_own_goal)), 1.0)
        for person, gap in zip(opponents[:2], (pressing, pressing + 4), strict=True):
            self._goal[person] = ball + to_own_goal * gap
        for person in mates[1:4]:
            length = max(float(distance[person]), 0.5)
            self._goal[person] = ball + away[person] * min(max(length, 6.5), 11.0) / length
        self._push = self._keep_apart()

    def _keep_apart(self) -> Float[np.ndarray, "23 2"]:
        """Velocity away from those who come too near."""
        away = self.position[:, None] - self.position[None]
        squared = (away**2).sum(axis=2) + 1e-6
        push = np.where((squared < 2.6) & (squared > 1e-5), 1.6 / np.maximum(squared, 0.2), 0.0)
        pushed: Float[np.ndarray, "23 2"] = (away * push[:, :, None]).sum(axis=1)
        return pushed.clip(-2.5, 2.5)
