"""Where on the pitch a move belongs, and who is there to make it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bas.synthetic.actions import Move
from bas.synthetic.people import ATTACK, KEEPERS, NUM_PEOPLE, REFEREE, outfield
from bas.synthetic.pitch import HALF_LENGTH, HALF_WIDTH

_LOOK_AHEAD = 4
_CLOSEST_PASS_METRES = 4.5
_RUN_SPEED = 6.0
LIMITS = np.array([HALF_LENGTH - 1.2, HALF_WIDTH - 1.2])


@dataclass(frozen=True, slots=True)
class Zone:
    """A place in the attacking direction of the team that acts; None leaves a coordinate open."""

    along: float | None
    across: float | None


def zone(moves: Sequence[Move]) -> Zone | None:
    """Where the first of `moves` has to happen, so that it and its followers can."""
    move, following, third = (*moves, None, None)[:3]
    match move, following:
        case (Move.HEADER, Move.GOAL) | (Move.HEADER, Move.OUT_BEHIND):
            return Zone(45.0, 5.0)
        case (Move.HEADER | Move.BLOCK, Move.OUT_CORNER):
            return Zone(-43.0, 11.0)
        case Move.CROSS, _:
            return Zone(40.0, 26.0)
        case Move.SHOT, Move.BLOCK:
            return Zone(35.0, 7.0)
        case Move.SHOT, _:
            return Zone(40.0, 7.0)
        case Move.FREE_KICK, Move.GOAL | Move.OUT_BEHIND | Move.BLOCK | Move.SHOT:
            return Zone(28.0, 8.0)
        case Move.FREE_KICK, _:
            return Zone(6.0, 14.0)
        case _, Move.BLOCK if third is Move.OUT_CORNER:
            return Zone(38.0, 10.0)
        case _, Move.OUT_SIDE:
            return Zone(None, 28.0)
    return None


def aim(
    moves: Sequence[Move], start: Float[np.ndarray, "2"], *, side: int, rng: np.random.Generator
) -> Float[np.ndarray, "2"]:
    """Where the first of `moves` should be made by `side`, the ball being at `start` one move before."""
    attack = float(ATTACK[side])
    drift = start + np.array([attack * rng.normal(5, 7), rng.normal(0, 11) - 0.2 * start[1]])
    for steps, place in _places_ahead(moves):
        far = drift.copy()
        if place.along is not None:
            far[0] = attack * (place.along + rng.normal(0, 2.5))
        if place.across is not None:
            far[1] = _lateral_sign(start[1], rng) * (place.across + rng.normal(0, 1.5))
        return within(start + (far - start) / steps, LIMITS)
    return within(drift, np.array([38.0, 27.0]))


def within(spot: Float[np.ndarray, "2"], limits: Float[np.ndarray, "2"]) -> Float[np.ndarray, "2"]:
    """The point nearest to `spot` in the middle of the pitch, up to `limits` from the center spot."""
    nearest_spot: Float[np.ndarray, "2"] = np.minimum(np.maximum(spot, -limits), limits)
    return nearest_spot


def suits_other_side(moves: Sequence[Move], start: Float[np.ndarray, "2"], *, side: int) -> bool:
    """Whether the place that comes next is out of reach for `side` and near for its opponents."""
    for steps, place in _places_ahead(moves):
        if steps > 2 or place.along is None:
            return False
        own, other = (abs(place.along - ATTACK[team] * start[0]) for team in (side, 1 - side))
        return bool(own > 38 and other < own - 15)
    return False


def _places_ahead(moves: Sequence[Move]) -> list[tuple[int, Zone]]:
    found = []
    for i, move in enumerate(moves[:_LOOK_AHEAD]):
        if i and move.restarts:
            break
        place = zone(moves[i:])
        if place is not None:
            found.append((i + 1, place))
    return found


def _lateral_sign(across: float, rng: np.random.Generator) -> float:
    return float(np.sign(across)) if abs(across) > 6 else float(rng.choice((-1.0, 1.0)))


@dataclass(frozen=True, slots=True)
class Reception:
    """Who gets the ball, and where."""

    person: int
    spot: Float[np.ndarray, "2"]


def reception(
    position: Float[np.ndarray, "23 2"],
    start: Float[np.ndarray, "2"],
    target: Float[np.ndarray, "2"],
    *,
    side: int,
    sender: int,
    seconds: float,
    ball_speed: float,
) -> Reception:
    """The field player of `side` who gets nearest to `target` in time, without an absurd ball."""
    people = np.array([person for person in outfield(side) if person != sender])
    toward = target - position[people]
    reach = _RUN_SPEED * min(seconds, 2.0)
    length = np.maximum(np.linalg.norm(toward, axis=1), 1e-6)
    spots = position[people] + toward * np.minimum(1, reach / length)[:, None]
    away = spots - start
    distance = np.maximum(np.linalg.norm(away, axis=1), 1e-6)
    spots = start + away * np.minimum(1, ball_speed * seconds / distance)[:, None]
    runs = np.linalg.norm(spots - position[people], axis=1)
    cost = np.linalg.norm(spots - target, axis=1)
    cost += 12.0 * np.maximum(0, runs - reach)
    closest = max(_CLOSEST_PASS_METRES, 0.25 * ball_speed * min(seconds, 2.5))
    cost += 4.0 * np.maximum(0, closest - distance)
    best = int(np.argmin(cost))
    return Reception(int(people[best]), within(spots[best], LIMITS))


def nearest(
    position: Float[np.ndarray, "23 2"], spot: Float[np.ndarray, "2"], *, side: int, but: int = -1
) -> int:
    """The field player of `side` nearest to `spot`."""
    distance = np.linalg.norm(position - spot, axis=1)
    everybody = np.arange(NUM_PEOPLE)
    barred = (everybody // 11 != side) | np.isin(everybody, (*KEEPERS, REFEREE, but))
    return int(np.argmin(np.where(barred, np.inf, distance)))
