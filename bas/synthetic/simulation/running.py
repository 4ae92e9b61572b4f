"""Runs of people who meet the ball or have it, with feints on the way."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bas.synthetic.simulation import placing
from bas.synthetic.simulation.people import ATTACK, Pose, team_of
from bas.synthetic.simulation.schedule import FPS, ScheduledMove
from bas.synthetic.simulation.stage import Contact, HalfState
from bas.synthetic.simulation.trajectory import BALL_RADIUS, Path, Point, carry, step_toward

_FEINTS_PER_SECOND, _FEINT_FRAMES = 1.2, 9


def frames_needed(current: Contact, following: ScheduledMove, *, distance: float, speed: float) -> int:
    """Return the frames from `current` to `following`, or those needed for `distance` at `speed` if more."""
    return max(following.frame - current.frame, int(np.ceil(distance / speed * FPS)))


def metres_to_run(state: HalfState, person: int, location: Float[np.ndarray, "2"]) -> float:
    """Return how far a person is from `location`, in metres."""
    return float(np.linalg.norm(location - state.people.position[person]))


def frames_to_run(state: HalfState, person: int, location: Float[np.ndarray, "2"]) -> int:
    """Return the frames that a person needs to be at `location`."""
    return int(metres_to_run(state, person, location) / placing.RUN_SPEED * FPS)


def meet_ball(
    state: HalfState,
    person: int,
    origin: Float[np.ndarray, "2"],
    location: Float[np.ndarray, "2"],
    *,
    frames: int,
) -> None:
    """Script a person to arrive behind `location`, as seen from `origin`, together with the ball."""
    offset = location - origin
    behind = 0.35 * offset / max(float(np.linalg.norm(offset)), 0.5)
    state.people.script_run(person, location + behind, frames=frames)


def run_with_ball(
    state: HalfState,
    person: int,
    start: Point,
    end: Float[np.ndarray, "2"],
    *,
    frames: int,
    touch_metres: float,
) -> Path:
    """Script a run of `person` to `end` with the ball at his feet; return the ball's path."""
    offset = end - start[:2]
    length = float(np.linalg.norm(offset))
    heading = offset / length if length > 0.3 else np.array([ATTACK[team_of(person)], 0.0])
    # He arrives a step short of the ball, at the mean speed of the run but no faster than a dribble allows.
    arrival = heading * min(length * FPS / max(frames, 1), 5.0)
    runner = state.people.script_run(person, end - 0.4 * heading, frames=frames, arrival=arrival)
    _feint(state, person, frames=frames)
    return carry(start, runner, np.array([*end, BALL_RADIUS]), touch_metres=touch_metres)


def hold_ball(
    state: HalfState,
    person: int,
    point: Point,
    target: Float[np.ndarray, "2"],
    *,
    frames: int,
    pressing_metres: float,
) -> Point:
    """Walk with a controlled ball until the next move; return the ball's position then."""
    if frames <= 0:
        return point
    end = step_toward(point[:2], target, longest=min(1.3 * frames / FPS, 5.0))
    path = run_with_ball(state, person, point, end, frames=frames, touch_metres=0.15)
    state.advance(path, possession=team_of(person), pressing_metres=pressing_metres)
    return np.array([*end, BALL_RADIUS])


def _feint(state: HalfState, person: int, *, frames: int) -> None:
    """Add occasional swings that miss the ball, so that a swing alone does not give away an action."""
    num_moments = frames - 2 * _FEINT_FRAMES
    if num_moments > 0:
        count = state.rng.poisson(_FEINTS_PER_SECOND * num_moments / FPS)
        for moment in state.rng.integers(0, num_moments, count):
            frame = state.frame + _FEINT_FRAMES + int(moment)
            state.gestures.add(Pose.KICK, person, frame, not_before=state.frame + 4)
