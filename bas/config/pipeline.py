"""Settings of extraction, training on cached rows and post-processing, and of a whole run."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from bas.clock import parse_rate
from bas.config.base import OddInt, Settings, TrainSettings
from bas.config.finetune import FinetuneSettings
from bas.config.heads import HeadSettings, NetVLADSettings

TimeOrigin = Literal["auto", "start", "zero"]


class ExtractSettings(Settings):
    """Stage 1: feature extraction. All settings down to `time_origin` are part of the cache's fingerprint."""

    clock: str = Field("25", coerce_numbers_to_str=True)
    """Frames per second of the model's clock, from 1 to 240: an integer, or a fraction such as 30000/1001."""
    encoder: str = "tf_efficientnetv2_b0.in1k"
    """Name of a timm model that supports `features_only`."""
    weights: str = "timm"
    """Weights of the encoder: timm (pretrained, from its hub), embedded (pretrained, installed with bas, for
    tf_efficientnet_lite0), random, a .safetensors file, or the folder of a run."""
    normalize: bool = False
    """Subtract the mean and divide by the standard deviation that timm's configuration of the encoder states."""
    seed: int = Field(0, ge=0, lt=1 << 31)
    """Seed of random weights."""
    stack: tuple[int, int, int] = (-2, 0, 2)
    """The three frames that form one encoder input, relative to the row's own frame."""
    hop: int = Field(2, ge=1)
    """Frames from one row to the next."""
    height: int = Field(720, ge=32)
    """Picture height before padding; pictures of another size are scaled."""
    width: int = Field(1280, ge=32)
    """Picture width before padding."""
    grid: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (6, 10)
    """Rows and columns that the feature map is averaged to."""
    flip: bool = False
    """Mirror every picture left to right; the flipped view has its own cache."""
    time_origin: TimeOrigin = "auto"
    """Time of frame 0: start is the first picture, zero the container's zero; auto is start, unless the first picture
    comes more than 0.5 s late."""
    # ---- not in the fingerprint ----
    video: Literal["720p", "224p"] = "720p"
    """Video file of a match to read."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Precision of the encoder; auto selects bf16 where the hardware supports it."""
    batch: int = Field(30, ge=1)
    """Rows per encoder call; a call never spans two segments."""
    segment_seconds: int = Field(60, ge=1)
    """Length of a part file: the most work that a killed extraction loses."""
    on_bad_video: Literal["fail", "skip", "degrade"] = "fail"
    """Handling of a damaged, cut or incomplete video: fail stops, skip leaves it out, degrade caches its usable rows."""

    @field_validator("clock")
    @classmethod
    def _positive_rate(cls, value: str) -> str:
        try:
            return str(parse_rate(value))
        except ValueError as error:
            raise ValueError("a frame rate between 1 and 240, such as 25 or 30000/1001") from error

    @property
    def clock_rate(self) -> Fraction:
        """Frames per second of the model's clock."""
        return Fraction(self.clock)

    @property
    def row_rate(self) -> Fraction:
        """Rows per second."""
        return self.clock_rate / self.hop

    @property
    def segment_rows(self) -> int:
        """Rows of a segment, at least one."""
        return max(1, int(self.segment_seconds * self.row_rate))


class FitSettings(TrainSettings):
    """Stage 2: training of a head on cached rows."""

    samples: int = Field(6000, ge=1)
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


class DetectionSettings(Settings):
    """Post-processing of one class: from its score at every frame to detections."""

    method: Literal["peaks", "hard", "linear", "quadratic"] = "peaks"
    """Selection of detections: peaks takes local maxima. The others visit all frames from the highest score down and
    suppress those nearer than `min_distance`: hard drops them; linear multiplies their scores by their distance
    as a share of `min_distance`, quadratic by the square of that share."""
    sigma: float = Field(3.0, ge=0)
    """Standard deviation of the Gaussian that smooths the scores, in frames."""
    min_score: float = Field(0.02, ge=0, le=1)
    """Smallest smoothed score of a detection."""
    min_distance: int = Field(8, ge=1)
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


class Pipeline(Settings):
    """All settings of a run, one section per stage."""

    extract: ExtractSettings = ExtractSettings()
    """Feature extraction (stage 1)."""
    head: HeadSettings = NetVLADSettings()
    """Head."""
    fit: FitSettings = FitSettings()
    """Training of the head (stage 2)."""
    finetune: FinetuneSettings = FinetuneSettings()
    """Joint training of encoder and head (stage 3)."""
    peaks: PostprocessSettings = PostprocessSettings()
    """Post-processing."""
