"""Settings of stage 2, the training of a head on cached features."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from bas.config.base import OddInt, TrainSettings


class FitSettings(TrainSettings):
    """Stage 2: training of a head on cached rows."""

    samples: int = Field(6000, ge=1, le=10_000_000)
    """Windows per epoch."""
    init_from: str = ""
    """Folder of a run or model to initialize the head from; tensors that do not fit are skipped."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Precision of the head; auto selects bf16 on a GPU that supports it."""
    learning_rate: float = Field(1e-3, gt=0)
    """Highest learning rate."""
    # ---- targets ----
    target_window: OddInt = 15
    """Frames centered on an action that are labeled positive, odd."""
    displacement_window: OddInt = 17
    """Frames centered on an action, odd, in which displacement is regressed; elsewhere it is 0."""
    teams: Literal["none", "classes", "output"] = "none"
    """Prediction of the team: none; classes predicts ACTION-left and ACTION-right as separate classes; output (sgp)
    predicts the team beside the class."""
    # ---- losses ----
    focal_gamma: float = Field(1.2, ge=0)
    """Focusing parameter of the focal loss; 0 is plain binary cross-entropy."""
    focal_alpha: float | None = Field(0.4, ge=0, le=1)
    """Weight of positives in the focal loss, where negatives weigh 1 - alpha; null weighs both equally."""
    foreground_weight: float = Field(5.0, gt=0)
    """Weight of each class in the cross-entropy, where background weighs 1."""
    displacement_weight: float = Field(1.0, ge=0)
    """Weight of the displacement loss."""
    team_weight: float = Field(2.0, ge=0)
    """Weight of the team loss."""
    # ---- sampling ----
    action_probability: float = Field(0.5, gt=0, lt=1)
    """Share of windows sampled near an action."""
    action_window: OddInt = 9
    """Frames centered on an action that count as near it, odd."""
    class_probability: float = Field(0.0, ge=0, le=1)
    """Share of the windows near an action that are sampled class by class, all classes equally often."""
    out_of_fold: str = ""
    """Folder of out-of-fold scores (fit-head --fold all); frames away from actions are sampled more often the higher they
    scored."""
    hard_negative_margin: OddInt = 27
    """Frames centered on an action whose out-of-fold scores are ignored, odd."""
    second_data: str = ""
    """Folder of matches with another label set (SoccerNet-v2) to train on as well."""
    second_probability: float = Field(0.5, gt=0, lt=1)
    """Share of windows sampled from `second_data`."""
    # ---- augmentation ----
    flip: bool = False
    """Read half of the windows from the caches of the flipped view, with teams swapped."""
    jitter: float = Field(0.0, ge=0, le=1)
    """Probability that a window is jittered: each row becomes the row before, itself or the row after (0.2, 0.6, 0.2)."""
    mixup: float = Field(0.0, ge=0)
    """Alpha of the Beta distribution from which mixup's share is sampled; 0 turns mixup off."""

    @model_validator(mode="after")
    def _room_for_both(self) -> FitSettings:
        # Rounded as bas.heads.training.batches does, which draws this many windows of each batch.
        second = round(self.batch * self.second_probability)
        if self.second_data and not 0 < second < self.batch:
            raise ValueError(
                f"second_probability={self.second_probability:g} of batch={self.batch} leaves one label set without windows"
            )
        return self
