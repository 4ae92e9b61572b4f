"""Twenty-two players and a referee: team formations, and scripted runs of those who meet the ball."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from jaxtyping import Float, Int, UInt8

from bas.synthetic.simulation.pitch import HALF_LENGTH, HALF_WIDTH
from bas.synthetic.simulation.schedule import FPS
from bas.synthetic.simulation.trajectory import hermite

LEFT, RIGHT = 0, 1

KEEPERS = (0, 11)

REFEREE = 22

NUM_PEOPLE = 23

ATTACK = np.array([1.0, -1.0])

"""Sign of the direction along x in which the left and the right team attack."""

_REACTION_FRAMES = 3

_FORMATION_SPEED = 6.5

_FORMATION = np.array(
    [
        (-48, 0), (-24, -20), (-27, -7), (-27, 7), (-24, 20), (-6, -18), (-9, -6), (-9, 6), (-6, 18), (10, -7), (10, 7),
    ],
    dtype=float,
)  # fmt: skip

"""4-4-2 of a team that attacks to the right, with the ball at the center spot."""


def team_of(person: int) -> int:
    """Return LEFT or RIGHT."""
    return person // 11


def outfield(side: int) -> Int[np.ndarray, "10"]:
    """Return the indices of a team's outfield players."""
    return np.arange(1, 11) + 11 * side


def formation(ball: Float[np.ndarray, "2"], *, possession: int) -> Float[np.ndarray, "23 2"]:
    """Return the formation of both teams and the referee: each block follows the ball and closes around it."""
    positions = np.empty((NUM_PEOPLE, 2))
    for side in (LEFT, RIGHT):
        # Both teams are laid out as attacking to the right, then mirrored for the right team.
        along = ATTACK[side] * ball[0]
        positions[11 * side : 11 * side + 11] = _FORMATION * (0.78, 0.72)
        block = positions[11 * side + 1 : 11 * side + 11]
        block[:, 0] += 0.72 * along + (9 if side == possession else 1)
        block[:, 1] += 0.45 * ball[1] * (1 if side == LEFT else -1)
        positions[11 * side] = (-50 + 4 * (along + 52) / 105, 0.06 * ball[1])
        positions[11 * side : 11 * side + 11] *= ATTACK[side]
    positions[KEEPERS[RIGHT], 1] *= -1  # undo the mirroring: both goalkeepers shift toward the ball
    positions[REFEREE] = ball + np.array([-7 * np.sign(ball[0] + 0.1), 9])
    return np.clip(positions, (-HALF_LENGTH + 1, -HALF_WIDTH + 1), (HALF_LENGTH - 1, HALF_WIDTH - 1))


class People:
    """Positions and velocities, frame by frame; scripted people follow their path, all others keep the formation."""

    def __init__(self, *, rng: np.random.Generator) -> None:
        self._rng = rng
        self._scripts: dict[int, Float[np.ndarray, "frames 2"]] = {}
        self.start_scene(np.zeros(2), possession=LEFT)

    def start_scene(self, ball: Float[np.ndarray, "2"], *, possession: int) -> None:
        """Start a scene: everyone stands in the formation, with random offsets."""
        self._offsets = self._rng.normal(0, 1.5, (NUM_PEOPLE, 2))
        self._targets = formation(ball, possession=possession) + self._offsets
        self._separation = np.zeros((NUM_PEOPLE, 2))
        self._frames_until_update = 0
        self.position = self._targets.copy()
        self.velocity = np.zeros((NUM_PEOPLE, 2))
        self._scripts.clear()

    def script(self, person: int, path: Float[np.ndarray, "frames 2"]) -> None:
        """Make a person follow `path` from the next frame on."""
        self._scripts[person] = path

    def script_run(
        self,
        person: int,
        end: Float[np.ndarray, "2"],
        *,
        frames: int,
        arrival: Float[np.ndarray, "2"] | None = None,
    ) -> Float[np.ndarray, "frames 2"]:
        """Make a person run to `end`, to be there with velocity `arrival` after `frames` frames; return the path."""
        path = hermite(self.position[person], self.velocity[person], end, frames=frames, arrival=arrival)
        self._scripts[person] = path
        return path

    def step(self, ball: Float[np.ndarray, "2"], *, possession: int, pressing_metres: float) -> None:
        """Advance one frame.

        The nearest opponent closes in to `pressing_metres`, and three teammates offer themselves for a pass.
        """
        if self._frames_until_update == 0:
            self._update_targets(ball, possession=possession, pressing_metres=pressing_metres)
            self._frames_until_update = _REACTION_FRAMES
        self._frames_until_update -= 1
        # Speed grows with the distance from the target, up to a run, and changes within a third of a second.
        desired = (self._targets - self.position) * 1.1
        speed = np.sqrt((desired**2).sum(axis=1, keepdims=True))
        desired *= np.minimum(1, _FORMATION_SPEED / np.maximum(speed, 1e-6))
        self.velocity += (desired - self.velocity) * 0.12
        next_position = self.position + (self.velocity + self._separation) / FPS
        # Scripts override the formation; velocities follow them, so that the end of a script causes no jerk.
        for person, path in list(self._scripts.items()):
            self.velocity[person] = (path[0] - self.position[person]) * FPS
            next_position[person] = path[0]
            if len(path) == 1:
                del self._scripts[person]
            else:
                self._scripts[person] = path[1:]
        self.position = next_position

    def _update_targets(
        self, ball: Float[np.ndarray, "2"], *, possession: int, pressing_metres: float
    ) -> None:
        """Choose new target positions."""
        # An Ornstein-Uhlenbeck process: offsets wander, but stay near 0 with a deviation of about 0.7 m.
        self._offsets += self._rng.normal(0, 0.17, (NUM_PEOPLE, 2)) - 0.03 * self._offsets
        self._targets = formation(ball, possession=possession) + self._offsets
        offset = self.position - ball
        distance = np.sqrt((offset**2).sum(axis=1))
        order = [person for person in np.argsort(distance).tolist() if person not in (*KEEPERS, REFEREE)]
        opponents = [person for person in order if team_of(person) != possession]
        teammates = [person for person in order if team_of(person) == possession]
        to_own_goal = np.array([-ATTACK[1 - possession] * HALF_LENGTH, 0.0]) - ball
        to_own_goal /= max(float(np.hypot(*to_own_goal)), 1.0)
        for person, gap in zip(opponents[:2], (pressing_metres, pressing_metres + 4), strict=True):
            self._targets[person] = ball + to_own_goal * gap
        for person in teammates[1:4]:
            length = max(float(distance[person]), 0.5)
            self._targets[person] = ball + offset[person] * min(max(length, 6.5), 11.0) / length
        self._separation = self._separation_velocity()

    def _separation_velocity(self) -> Float[np.ndarray, "23 2"]:
        """Return velocities away from anyone who is too near."""
        offset = self.position[:, None] - self.position[None]
        squared = (offset**2).sum(axis=2) + 1e-6
        # Metres per second and metre of offset, for pairs nearer than 1.6 m; nobody pushes himself.
        strength = np.where((squared < 2.6) & (squared > 1e-5), 1.6 / np.maximum(squared, 0.2), 0.0)
        velocity: Float[np.ndarray, "23 2"] = (offset * strength[:, :, None]).sum(axis=1)
        return velocity.clip(-2.5, 2.5)


class Pose(IntEnum):
    """Pose of a body. The phase of a gesture runs from 0 to NUM_PHASES - 1 over its duration."""

    RUN = 0
    KICK = 1
    JUMP = 2
    THROW = 3
    SLIDE = 4
    FALL = 5
    DIVE = 6
    CHEER = 7
    HOLD = 8


NUM_PHASES = 12

_SPANS = {
    Pose.KICK: (6, 6),
    Pose.JUMP: (6, 6),
    Pose.THROW: (4, 8),
    Pose.SLIDE: (8, 10),
    Pose.FALL: (3, 30),
    Pose.DIVE: (6, 22),
    Pose.CHEER: (0, 50),
}

"""Frames before and after the contact, which is at phase NUM_PHASES / 2."""


class Gestures:
    """Pose and phase of every person in every frame."""

    def __init__(self, *, frames: int, people: int) -> None:
        self.pose: UInt8[np.ndarray, "frames people"] = np.zeros((frames, people), np.uint8)
        self.phase: UInt8[np.ndarray, "frames people"] = np.zeros((frames, people), np.uint8)

    def add(self, pose: Pose, person: int, frame: int, *, not_before: int = 0) -> None:
        """Add a gesture with its contact at `frame`; frames before `not_before` are left unchanged."""
        before, after = _SPANS[pose]
        for i in range(max(frame - before, not_before, 0), min(frame + after, len(self.pose))):
            offset = i - frame
            # -1 at the start, 0 at the contact, 1 at the end: the two halves may differ in length.
            share = offset / before if offset < 0 else offset / after
            self.pose[i, person] = pose
            self.phase[i, person] = min(NUM_PHASES - 1, int((1 + share) * NUM_PHASES / 2))

    def hold(self, pose: Pose, person: int, start: int, stop: int) -> None:
        """Hold a pose at phase 0 over frames [start, stop)."""
        self.pose[start:stop, person] = pose
        self.phase[start:stop, person] = 0
