"""Settings of detections and their post-processing."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator

from bas.config.base import Settings


class DetectionSettings(Settings):
    """Post-processing of one class: from its score at every frame to detections."""

    method: Literal["peaks", "hard", "linear", "quadratic"] = "peaks"
    """Selection of detections: peaks takes local maxima. The others visit all frames from the highest score down and
    suppress those nearer than `min_distance`: hard drops them; linear multiplies their scores by their distance
    as a share of `min_distance`, quadratic by the square of that share."""
    sigma: float = Field(3.0, ge=0, le=10_000)
    """Standard deviation of the Gaussian that smooths the scores, in frames."""
    min_score: float = Field(0.02, ge=0, le=1)
    """Smallest smoothed score of a detection."""
    min_distance: int = Field(8, ge=1, le=1_000_000)
    """Smallest number of frames between two detections of a class; with linear and quadratic, the range of suppression."""


_Share = Annotated[float, Field(ge=0, le=1)]


CalibrationPoint = tuple[_Share, _Share]


class PostprocessSettings(DetectionSettings):
    """Post-processing: from the score of every class at every frame to detections."""

    classes: dict[str, DetectionSettings] = Field(default_factory=dict)
    """Settings of single actions, by name; a setting that an action leaves out has its default, not the common value."""
    confidences: dict[str, tuple[CalibrationPoint, ...]] = Field(default_factory=dict)
    """Calibration of an action's confidences: pairs of a smoothed score and its confidence, rising from 0, 0 to 1, 1,
    with linear interpolation between them."""
    thresholds: dict[str, _Share] = Field(default_factory=dict)
    """Confidence of an action from which its detections are shown and counted; 0.5 for actions that are not named."""

    @field_validator("confidences")
    @classmethod
    def _rising(
        cls, value: dict[str, tuple[CalibrationPoint, ...]]
    ) -> dict[str, tuple[CalibrationPoint, ...]]:
        for action, points in value.items():
            # Detections are ranked by confidence: a flat or falling part would make ties or reorder them.
            rising = all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(points))
            if not rising or len(points) < 2 or points[0] != (0, 0) or points[-1] != (1, 1):
                raise ValueError(
                    f"the calibration points of {action} must rise strictly from 0, 0 to 1, 1 to keep the ranking of detections"
                )
        return value

    def for_action(self, action: str) -> DetectionSettings:
        """Post-processing settings of one action."""
        return self.classes.get(action, self)

    def threshold(self, action: str) -> float:
        """Confidence from which detections of an action are shown."""
        return self.thresholds.get(action, 0.5)
