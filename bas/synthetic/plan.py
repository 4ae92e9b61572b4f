"""Which action follows which, and when: a Markov chain with given shares and gap quantiles.

The chain's transition weights are the football of `actions.FOLLOWERS`, each column scaled until the
long-run share of every class is the wanted one. Gaps keep the tempo of each transition (a block
follows at once, a throw-in comes late) as a rank: the rank's overall distribution is known, so
mapping it through the wanted quantiles gives exactly those quantiles over a long match.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bas.synthetic.actions import FOLLOWERS, Action, Move, Profile

FPS = 25
KICK_OFF_FRAME = FPS
_RANK_SPREAD = 0.8
_MOVES = tuple(Move)
_COLUMN = {move: i for i, move in enumerate(_MOVES)}
_LABEL_OF_COLUMN = np.array([list(Action).index(move.action) for move in _MOVES])


@dataclass(frozen=True, slots=True)
class Planned:
    """A move and its frame, not yet placed on the pitch."""

    frame: int
    move: Move


def plan(profile: Profile, *, frames: int, rng: np.random.Generator) -> tuple[Planned, ...]:
    """The moves of `frames` frames: a kick-off first, no two in one frame, quiet at the very end."""
    matrix = transition_matrix(profile)
    tempo = _Tempo(profile, matrix)
    target = _targets(profile)
    made = np.zeros(len(target))
    planned: list[Planned] = []
    frame, move = KICK_OFF_FRAME, Move.KICK_OFF
    while frame < frames - FPS:
        planned.append(Planned(frame, move))
        made[_LABEL_OF_COLUMN[_COLUMN[move]]] += 1
        behind = (target * made.sum() - made)[_LABEL_OF_COLUMN]
        weights = matrix[_COLUMN[move]] * np.exp(np.clip(profile.pull * behind, -6, 6))
        following = _MOVES[rng.choice(len(_MOVES), p=weights / weights.sum())]
        frame += tempo.gap_frames(move, following, rng)
        move = following
    return tuple(planned)


def transition_matrix(profile: Profile) -> Float[np.ndarray, "moves moves"]:
    """Chance that the column's move follows the row's, with the profile's shares in the long run."""
    affinity = np.array([[FOLLOWERS[a].get(b, 0.0) for b in _MOVES] for a in _MOVES])
    target = _targets(profile)
    scale = np.ones(len(target))
    for _ in range(500):
        matrix = affinity * scale[_LABEL_OF_COLUMN]
        matrix /= matrix.sum(axis=1, keepdims=True)
        shares = np.bincount(_LABEL_OF_COLUMN, weights=_stationary(matrix))
        scale *= (target / shares) ** 0.5
    return np.asarray(matrix)


def _targets(profile: Profile) -> Float[np.ndarray, "classes"]:
    counts = np.array([profile.counts[action] for action in Action])
    shares: Float[np.ndarray, "classes"] = counts / counts.sum()
    return shares


def _stationary(matrix: Float[np.ndarray, "moves moves"]) -> Float[np.ndarray, "moves"]:
    size = len(matrix)
    equations = np.vstack([matrix.T - np.eye(size), np.ones(size)])
    solution: Float[np.ndarray, "moves"] = np.linalg.lstsq(equations, np.r_[np.zeros(size), 1.0], rcond=None)[
        0
    ]
    return solution.clip(1e-12)


class _Tempo:
    """Draws gaps: late or early after the transition, exact in their quantiles overall."""

    def __init__(self, profile: Profile, matrix: Float[np.ndarray, "moves moves"]) -> None:
        shares = (_stationary(matrix)[:, None] * matrix).ravel()
        centers = np.array([_rank_center(a, b) for a in _MOVES for b in _MOVES])
        grid = np.linspace(-6, 8, 1401)
        steps = (grid[:, None] - centers[shares > 1e-9]) / _RANK_SPREAD
        self._grid = grid
        self._share_below = _normal_below(steps) @ shares[shares > 1e-9]
        quantiles = np.array(profile.gap_quantiles)
        self._quantiles, self._log_seconds = quantiles[:, 0], np.log(quantiles[:, 1])

    def gap_frames(self, move: Move, following: Move, rng: np.random.Generator) -> int:
        rank = _rank_center(move, following) + _RANK_SPREAD * rng.standard_normal()
        share = np.interp(rank, self._grid, self._share_below)
        seconds = np.exp(np.interp(share, self._quantiles, self._log_seconds))
        shortest, longest = _limits_seconds(move, following)
        return max(1, round(float(np.clip(seconds, shortest, longest)) * FPS))


def _rank_center(move: Move, following: Move) -> float:
    """How late a transition comes, in standard deviations."""
    if following.restarts:
        return 3.0
    if following is Move.BLOCK:
        return -2.6
    if move is Move.SHOT or following is Move.GOAL:
        return -0.6
    if move is Move.DRIVE or following is Move.TACKLE:
        return 0.25
    if following in (Move.HIGH_PASS, Move.CROSS) or move in (Move.HIGH_PASS, Move.CROSS, Move.GOAL_KICK):
        return 0.2
    return -0.25


def _limits_seconds(move: Move, following: Move) -> tuple[float, float]:
    """What can be played at all: a ball in the air comes down, a dead ball must be fetched."""
    if following.restarts:
        return 2.0, 60.0
    if following is Move.BLOCK:
        return 0.04, 0.6
    if following is Move.GOAL or (move is Move.SHOT and following.leaves_play):
        return 0.4, 0.9
    if following is Move.HEADER or following.leaves_play:
        return (0.8 if move in _LOFTED else 0.36), 2.6
    if move in _LOFTED or following is Move.TACKLE:
        return 0.8, 60.0
    return 0.2, 60.0


_LOFTED = {Move.HIGH_PASS, Move.GOAL_KICK, Move.CROSS, Move.CORNER}


def _normal_below(z: Float[np.ndarray, "points ranks"]) -> Float[np.ndarray, "points ranks"]:
    """Normal distribution function to about 1e-4 (Page, Approximations to the cumulative normal, 1977)."""
    odds = np.exp(2 * np.sqrt(2 / np.pi) * z * (1 + 0.044715 * z * z))
    share: Float[np.ndarray, "points ranks"] = odds / (1 + odds)
    return share
