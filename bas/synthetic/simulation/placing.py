"""Placement of moves on the pitch, and choice of the players who can reach them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bas.synthetic.simulation.actions import Move
from bas.synthetic.simulation.people import ATTACK, KEEPERS, NUM_PEOPLE, REFEREE, outfield
from bas.synthetic.simulation.pitch import HALF_LENGTH, HALF_WIDTH

_LOOKAHEAD_MOVES = 4
_MIN_PASS_METRES = 4.5
RUN_SPEED = 6.0
"""Mean speed of a run to the ball, in metres per second; its middle is half as fast again."""
LIMITS = np.array([HALF_LENGTH - 1.2, HALF_WIDTH - 1.2])


@dataclass(frozen=True, slots=True)
class Zone:
    """Region for a move, in metres from the center spot.

    `along` counts toward the opponents' goal; `across` is the distance from the long axis. None leaves a coordinate free.
    """

    along: float | None
    across: float | None


def required_zone(moves: Sequence[Move]) -> Zone | None:
    """Return where the first of `moves` must happen for it and the next ones to be plausible; None is anywhere."""
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
    """Return where `side` should make the first of `moves`, with the ball at `start` one move earlier."""
    attack = float(ATTACK[side])
    default = start + np.array([attack * rng.normal(5, 7), rng.normal(0, 11) - 0.2 * start[1]])
    for steps, zone in _upcoming_zones(moves):
        # The ball covers an equal share of the way to the zone with each move before it.
        zone_point = default.copy()
        if zone.along is not None:
            zone_point[0] = attack * (zone.along + rng.normal(0, 2.5))
        if zone.across is not None:
            zone_point[1] = _lateral_sign(start[1], rng) * (zone.across + rng.normal(0, 1.5))
        return clamp(start + (zone_point - start) / steps, LIMITS)
    return clamp(default, np.array([38.0, 27.0]))


def clamp(location: Float[np.ndarray, "2"], limits: Float[np.ndarray, "2"]) -> Float[np.ndarray, "2"]:
    """Clamp `location` to `limits` on either side of the center spot."""
    clamped: Float[np.ndarray, "2"] = np.minimum(np.maximum(location, -limits), limits)
    return clamped


def suits_opponents(moves: Sequence[Move], start: Float[np.ndarray, "2"], *, side: int) -> bool:
    """Return whether the next required zone is out of reach for `side` and near for its opponents."""
    for steps, zone in _upcoming_zones(moves):
        if steps > 2 or zone.along is None:
            return False
        own, other = (abs(zone.along - ATTACK[team] * start[0]) for team in (side, 1 - side))
        return bool(own > 38 and other < own - 15)
    return False


def _upcoming_zones(moves: Sequence[Move]) -> list[tuple[int, Zone]]:
    found = []
    for i, move in enumerate(moves[:_LOOKAHEAD_MOVES]):
        if i and move.is_restart:
            break
        zone = required_zone(moves[i:])
        if zone is not None:
            found.append((i + 1, zone))
    return found


def _lateral_sign(across: float, rng: np.random.Generator) -> float:
    return float(np.sign(across)) if abs(across) > 6 else float(rng.choice((-1.0, 1.0)))


@dataclass(frozen=True, slots=True)
class Reception:
    """Receiver of a ball, and where he receives it."""

    person: int
    location: Float[np.ndarray, "2"]


def find_receiver(
    position: Float[np.ndarray, "23 2"],
    start: Float[np.ndarray, "2"],
    target: Float[np.ndarray, "2"],
    *,
    side: int,
    sender: int,
    seconds: float,
    ball_speed: float,
) -> Reception:
    """Choose the outfield player of `side` who can receive the ball nearest to `target`, by a plausible pass."""
    people = np.array([person for person in outfield(side) if person != sender])
    # Each candidate runs toward the target as far as he can, then the ball is shortened to what it can cover.
    offset = target - position[people]
    max_run = RUN_SPEED * min(seconds, 2.0)
    length = np.maximum(np.linalg.norm(offset, axis=1), 1e-6)
    locations = position[people] + offset * np.minimum(1, max_run / length)[:, None]
    flight = locations - start
    distance = np.maximum(np.linalg.norm(flight, axis=1), 1e-6)
    locations = start + flight * np.minimum(1, ball_speed * seconds / distance)[:, None]
    runs = np.linalg.norm(locations - position[people], axis=1)
    cost = np.linalg.norm(locations - target, axis=1)
    # Weights in metres of distance to the target: an impossible run costs most, a pass that is too short less.
    cost += 12.0 * np.maximum(0, runs - max_run)
    min_pass = max(_MIN_PASS_METRES, 0.25 * ball_speed * min(seconds, 2.5))
    cost += 4.0 * np.maximum(0, min_pass - distance)
    best = int(np.argmin(cost))
    return Reception(int(people[best]), clamp(locations[best], LIMITS))


def nearest_player(
    position: Float[np.ndarray, "23 2"], location: Float[np.ndarray, "2"], *, side: int
) -> int:
    """Return the outfield player of `side` nearest to `location`."""
    distance = np.linalg.norm(position - location, axis=1)
    everyone = np.arange(NUM_PEOPLE)
    excluded = (everyone // 11 != side) | np.isin(everyone, (*KEEPERS, REFEREE))
    return int(np.argmin(np.where(excluded, np.inf, distance)))
