"""Schedule of actions: a Markov chain with prescribed class shares and gap quantiles.

The transition weights are those of `actions.FOLLOWERS`. Each column is scaled until the stationary share of every class
equals its target. Each transition has a typical gap (a block follows at once, a throw-in comes late), kept as a random
rank. The distribution of ranks over all transitions is known. Mapping it onto the profile's quantiles therefore
reproduces exactly those quantiles over a long match.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bas.synthetic.simulation.actions import FOLLOWERS, LOFTED, Action, Move, Profile

FPS = 25
KICK_OFF_FRAME = FPS
_RANK_SPREAD = 0.8
_MOVES = tuple(Move)
_MOVE_INDEX = {move: i for i, move in enumerate(_MOVES)}
_CLASS_OF_MOVE = np.array([list(Action).index(move.action) for move in _MOVES])


@dataclass(frozen=True, slots=True)
class ScheduledMove:
    """A move and its frame, not yet placed on the pitch."""

    frame: int
    move: Move


def schedule(profile: Profile, *, frames: int, rng: np.random.Generator) -> tuple[ScheduledMove, ...]:
    """Return the moves of a half of `frames` frames: a kick-off first, no two in one frame, none in the last second."""
    matrix = transition_matrix(profile)
    gaps = _GapSampler(profile, matrix)
    target_shares = _target_shares(profile)
    counts = np.zeros(len(target_shares))
    moves: list[ScheduledMove] = []
    frame, move = KICK_OFF_FRAME, Move.KICK_OFF
    while frame < frames - FPS:
        moves.append(ScheduledMove(frame, move))
        counts[_CLASS_OF_MOVE[_MOVE_INDEX[move]]] += 1
        # Positive where a class has occurred less often than its share requires.
        deficit = (target_shares * counts.sum() - counts)[_CLASS_OF_MOVE]
        weights = matrix[_MOVE_INDEX[move]] * np.exp(np.clip(profile.balance_strength * deficit, -6, 6))
        following = _MOVES[rng.choice(len(_MOVES), p=weights / weights.sum())]
        frame += gaps.gap_frames(move, following, rng)
        move = following
    return tuple(moves)


def transition_matrix(profile: Profile) -> Float[np.ndarray, "moves moves"]:
    """Return the probabilities of the next move (column) given a move (row), with the profile's stationary shares."""
    affinity = np.array([[FOLLOWERS[a].get(b, 0.0) for b in _MOVES] for a in _MOVES])
    target_shares = _target_shares(profile)
    scale = np.ones(len(target_shares))
    for _ in range(500):
        matrix = affinity * scale[_CLASS_OF_MOVE]
        matrix /= matrix.sum(axis=1, keepdims=True)
        shares = np.bincount(_CLASS_OF_MOVE, weights=_stationary(matrix))
        # The square root damps the iteration: scaling one class also changes the shares of its followers.
        scale *= (target_shares / shares) ** 0.5
    return np.asarray(matrix)


def _target_shares(profile: Profile) -> Float[np.ndarray, "classes"]:
    weights = np.array([profile.counts[action] for action in Action])
    shares: Float[np.ndarray, "classes"] = weights / weights.sum()
    return shares


def _stationary(matrix: Float[np.ndarray, "moves moves"]) -> Float[np.ndarray, "moves"]:
    # The stationary shares solve (matrix.T - I) x = 0 together with sum(x) = 1.
    size = len(matrix)
    equations = np.vstack([matrix.T - np.eye(size), np.ones(size)])
    solution: Float[np.ndarray, "moves"] = np.linalg.lstsq(equations, np.r_[np.zeros(size), 1.0], rcond=None)[
        0
    ]
    return solution.clip(1e-12)


class _GapSampler:
    """Sampler of gaps: longer or shorter by transition, with the profile's quantiles overall."""

    def __init__(self, profile: Profile, matrix: Float[np.ndarray, "moves moves"]) -> None:
        shares = (_stationary(matrix)[:, None] * matrix).ravel()
        centers = np.array([_rank_center(a, b) for a in _MOVES for b in _MOVES])
        # Mixture of normal distributions, one per transition, weighted by how often the transition occurs.
        grid = np.linspace(-6, 8, 1401)
        steps = (grid[:, None] - centers[shares > 1e-9]) / _RANK_SPREAD
        self._grid = grid
        self._rank_cdf = _normal_cdf(steps) @ shares[shares > 1e-9]
        quantiles = np.array(profile.gap_quantiles)
        self._quantiles, self._log_seconds = quantiles[:, 0], np.log(quantiles[:, 1])

    def gap_frames(self, move: Move, following: Move, rng: np.random.Generator) -> int:
        rank = _rank_center(move, following) + _RANK_SPREAD * rng.standard_normal()
        share = np.interp(rank, self._grid, self._rank_cdf)
        seconds = np.exp(np.interp(share, self._quantiles, self._log_seconds))
        shortest, longest = _limits_seconds(move, following)
        return max(1, round(float(np.clip(seconds, shortest, longest)) * FPS))


def _rank_center(move: Move, following: Move) -> float:
    """Return the mean rank of a transition's gap, in standard deviations; higher means later."""
    if following.is_restart:
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
    """Return the shortest and longest playable gap: a lofted ball must come down, a dead ball must be fetched."""
    if following.is_restart:
        return 2.0, 60.0
    if following is Move.BLOCK:
        return 0.04, 0.6
    if following is Move.GOAL or (move is Move.SHOT and following.leaves_play):
        return 0.4, 0.9
    if following is Move.HEADER or following.leaves_play:
        return (0.8 if move in LOFTED else 0.36), 2.6
    if move in LOFTED or following is Move.TACKLE:
        return 0.8, 60.0
    return 0.2, 60.0


def _normal_cdf(z: Float[np.ndarray, "points ranks"]) -> Float[np.ndarray, "points ranks"]:
    """Approximate the normal distribution function to about 1e-4 (Page, 1977)."""
    odds = np.exp(2 * np.sqrt(2 / np.pi) * z * (1 + 0.044715 * z * z))
    share: Float[np.ndarray, "points ranks"] = odds / (1 + odds)
    return share
