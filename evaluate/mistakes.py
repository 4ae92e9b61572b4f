"""The worst mistakes of a model in one video: what it missed most blindly, what it claimed most surely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from bas.clock import frame_at
from bas.evaluate.soccernet import Prediction
from bas.types import Scores, Spot

REACH_MS = 480
"""12 frames at 25 a second: as far as a detection may lie from its spot in the official mAP@1."""

Kind = Literal["detection", "false alarm", "miss"]


@dataclass(frozen=True, slots=True)
class Moment:
    """Something worth looking at."""

    position_ms: int
    label: str
    team: str | None
    confidence: float
    """Of the claim; of a miss, the highest that the model came to near it."""
    kind: Kind = "detection"

    @property
    def severity(self) -> float:
        """How far the model is from the truth, in [0, 1]."""
        return 1 - self.confidence if self.kind == "miss" else self.confidence


def moments_of(predictions: Sequence[Prediction]) -> list[Moment]:
    """Every claim as it stands."""
    return [Moment(p.position_ms, p.label, p.team, p.confidence) for p in predictions]


def mistakes(spots: Sequence[Spot], predictions: Sequence[Prediction], scores: Scores) -> list[Moment]:
    """Every miss and every false alarm of one video, the worst first.

    Each spot in time takes the surest free detection of its class in reach, as the official scorer does.
    """
    free = set(range(len(predictions)))
    found: list[Moment] = []
    for spot in sorted(spots, key=lambda spot: spot.position_ms):
        near = [i for i in free if _is_near(predictions[i], spot)]
        if near:
            free.remove(max(near, key=lambda i: predictions[i].confidence))
        else:
            confidence = _highest(scores, spot)
            found.append(Moment(spot.position_ms, spot.label, spot.team, confidence, "miss"))
    claims = (predictions[i] for i in free)
    found += [Moment(p.position_ms, p.label, p.team, p.confidence, "false alarm") for p in claims]
    return sorted(found, key=lambda moment: (-moment.severity, moment.position_ms))


def worst_of(moments: Sequence[Moment], number: int) -> list[Moment]:
    """The worst of many mistakes, as many misses as false alarms where there are enough of both."""
    ranked = sorted(moments, key=lambda moment: -moment.severity)
    misses = [moment for moment in ranked if moment.kind == "miss"]
    alarms = [moment for moment in ranked if moment.kind == "false alarm"]
    in_turn = [moment for pair in zip_longest(alarms, misses) for moment in pair if moment is not None]
    return in_turn[:number]


def _is_near(prediction: Prediction, spot: Spot) -> bool:
    return prediction.label == spot.label and abs(prediction.position_ms - spot.position_ms) <= REACH_MS


def _highest(scores: Scores, spot: Spot) -> float:
    columns = [k for k, name in enumerate(scores.classes) if name.startswith(spot.label)]
    columns = [
        k for k in columns if scores.classes[k] in (spot.label, f"{spot.label}-left", f"{spot.label}-right")
    ]
    first = frame_at(max(0, spot.position_ms - REACH_MS), scores.fps)
    near = scores.values[first : frame_at(spot.position_ms + REACH_MS, scores.fps) + 1, columns]
    return float(near.max()) if near.size else 0.0
