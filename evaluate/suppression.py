"""Of events that lie close together, the strongest first: the others are dropped, or lowered.

Soft non-maximum suppression after Bodla et al., Soft-NMS, ICCV 2017, in the quadratic form over time of
T-DEED (Xarles et al., CVPRW 2024).
"""

from __future__ import annotations

import heapq

import numpy as np
from jaxtyping import Float64, Int64


def suppress(
    frames: Int64[np.ndarray, "events"],
    scores: Float64[np.ndarray, "events"],
    *,
    window: int,
    least: float,
    soft: bool,
) -> tuple[Int64[np.ndarray, "kept"], Float64[np.ndarray, "kept"]]:
    """Keep the highest event again and again, until none is left that reaches `least`.

    Args:
        frames: of the events of one class, rising.
        scores: of the events.
        window: frames to either side of a kept event in which others are dropped, or lowered to their
            score times the square of their distance over the window.
        least: score below which no event is kept.
        soft: lower instead of drop.

    Returns:
        Frames, rising, and scores of what is kept, lowered ones with what is left of them.
    """
    left = scores.astype(np.float64)
    kept = np.zeros(len(frames), bool)
    coming = [(-score, place) for place, score in enumerate(left.tolist())]
    heapq.heapify(coming)
    starts = np.searchsorted(frames, frames - window)
    stops = np.searchsorted(frames, frames + window, side="right")
    while coming:
        negative, place = heapq.heappop(coming)
        if kept[place] or -negative != left[place]:
            continue  # lowered since: its present score waits elsewhere
        if left[place] < least:
            break
        kept[place] = True
        near = np.arange(starts[place], stops[place])
        near = near[~kept[near]]
        if not soft:
            left[near] = -1.0
            continue
        left[near] *= (np.abs(frames[near] - frames[place]) / window) ** 2
        for other, score in zip(near.tolist(), left[near].tolist(), strict=True):
            heapq.heappush(coming, (-score, other))
    return frames[kept], left[kept]
