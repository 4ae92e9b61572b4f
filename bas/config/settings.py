"""Every setting of every stage: frozen, and closed to keys it does not know."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from bas.config.base import Settings, TrainSettings
from bas.config.finetune import FinetuneSettings

TimeOrigin = Literal["auto", "start", "zero"]


class ExtractSettings(Settings):
    """Stage 1: what a row of the cache is. Everything above the line is in the cache's fingerprint."""

    clock: str = Field("25", coerce_numbers_to_str=True)
    """Ticks a second of the model's clock, an integer or a fraction such as 30000/1001."""
    encoder: str = "tf_efficientnetv2_b0.in1k"
    """Any timm model that supports `features_only`."""
    weights: str = "timm"
    """timm (its hub), random, a .safetensors file, or the folder of a run."""
    seed: int = Field(0, ge=0, lt=1 << 31)
    """Of random weights."""
    stack: tuple[int, int, int] = (-2, 0, 2)
    """The three ticks that make one input, relative to the row's own."""
    hop: int = Field(2, ge=1)
    """Ticks from one row to the next."""
    height: int = Field(720, ge=32)
    """Rows of a picture before padding; another size is scaled to it."""
    width: int = Field(1280, ge=32)
    """Columns of a picture before padding."""
    grid: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (6, 10)
    """Rows and columns that the feature map is averaged to."""
    flip: bool = False
    """Mirror every picture left to right: the flipped view, a cache of its own."""
    time_origin: TimeOrigin = "auto"
    """Time of tick 0: the first picture (start), the container's zero, or the first unless it is 0.5 s late."""
    # ---- not in the fingerprint ----
    video: Literal["720p", "224p"] = "720p"
    """Which of a game's video files to read."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Of the encoder; auto takes bf16 where the hardware has it."""
    batch: int = Field(30, ge=1)
    """Rows an encoder call; calls never cross a segment's border."""
    segment_seconds: int = Field(60, ge=1)
    """Length of a part file: what a killed run loses at most."""
    on_bad_video: Literal["fail", "skip", "degrade"] = "fail"
    """What to do with a damaged, cut or incomplete video: refuse it, leave it out, or cache what there is."""

    @field_validator("clock")
    @classmethod
    def _positive_rate(cls, value: str) -> str:
        try:
            rate = Fraction(value)
        except (ValueError, ZeroDivisionError):
            rate = Fraction(0)
        if not 1 <= rate <= 240:
            raise ValueError("clock is ticks a second, between 1 and 240, as 25 or 30000/1001")
        return str(rate)

    @property
    def clock_rate(self) -> Fraction:
        """Ticks a second."""
        return Fraction(self.clock)

    @property
    def row_rate(self) -> Fraction:
        """Rows a second."""
        return self.clock_rate / self.hop

    @property
    def segment_rows(self) -> int:
        """Rows a segment, at least one."""
        return max(1, int(self.segment_seconds * self.row_rate))


Scoring = Literal["sigmoid", "softmax", "sigmoid+background"]
Pooling = Literal["NetVLAD++", "NetVLAD", "NetRVLAD++", "NetRVLAD", "MAX++", "MAX", "AVG++", "AVG"]


class _HeadSettings(Settings):
    scoring: Scoring = "sigmoid"
    """sigmoid: classes on their own, by focal loss; softmax: one of classes and background, by cross-entropy;
    sigmoid+background: as sigmoid, the background a class of its own."""
    dropout: float = Field(0.4, ge=0, lt=1)
    """Before the last layer."""


class LinearSettings(_HeadSettings):
    """One row, no time."""

    kind: Literal["linear"] = "linear"


class NetVLADSettings(_HeadSettings):
    """NetVLAD++ and its kin, sized for ball actions."""

    kind: Literal["netvlad"] = "netvlad"
    pool: Pooling = "NetVLAD++"
    """++ pools what is before the frame and what is from it on apart; R leaves the cluster centers out."""
    dim: int = Field(192, ge=1)
    """Width after the linear layer; rows that are this wide already pass none."""
    clusters: int = Field(8, ge=1)
    """Of each pool: before the frame, and as many after it."""
    window_seconds: float = Field(1.6, gt=0, le=30)
    """Whole window: half of it before the frame, half from the frame on."""


class Blocks3DSettings(_HeadSettings):
    """The stacker's 3D part."""

    kind: Literal["blocks3d"] = "blocks3d"
    frames: Literal[15, 33] = 15
    """Pictures of a window, two ticks apart: 5 or 11 stacks."""
    blocks: int = Field(4, ge=1)
    expansion: int = Field(3, ge=1)
    """How much wider a block is inside."""
    projection: int = Field(256, ge=1)
    """Channels of each slice before pooling."""
    drop_path: float = Field(0.2, ge=0, lt=1)
    """Share of windows that pass a block by in training."""
    dropout: float = Field(0.2, ge=0, lt=1)
    mode: Literal["windowed", "dense"] = "windowed"
    """How a match is scored: window by window as in training, or in one pass that approximates it."""


class ClipSettings(_HeadSettings):
    """Heads that read a clip of rows and speak of each."""

    clip_rows: int = Field(100, ge=8)
    """Rows of a clip, when it is trained and when it scores."""
    dim: int = Field(192, ge=16)
    """Width of a row after pooling; rows of this many channels pass no linear layer."""
    pool: Literal["gem", "average"] = "average"
    """How a row's map becomes a vector; gem is for encoders whose maps are nowhere negative."""


class SGPSettings(ClipSettings):
    """T-DEED's encoder-decoder."""

    kind: Literal["sgp"] = "sgp"
    dim: int = Field(192, ge=16, multiple_of=16)
    levels: int = Field(2, ge=1)
    """How often the rate is halved."""
    kernel: int = Field(9, ge=1)
    """Rows of the short windows, odd."""
    k: int = Field(4, ge=1)
    """How much longer the long windows are."""
    displacement: Literal["none", "shared", "class"] = "shared"
    """Rows from the nearest action: one number for all classes as in T-DEED, or one a class."""
    dropout: float = Field(0.5, ge=0, lt=1)

    @field_validator("kernel")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("kernel is odd: a window has a middle")
        return value


class GRUSettings(ClipSettings):
    """A recurrent layer in both directions."""

    kind: Literal["gru"] = "gru"
    hidden: int = Field(192, ge=1)
    """Width of each direction."""


HeadSettings = Annotated[
    LinearSettings | NetVLADSettings | Blocks3DSettings | SGPSettings | GRUSettings,
    Field(discriminator="kind"),
]


class FitSettings(TrainSettings):
    """Stage 2: how a head is trained."""

    samples: int = Field(6000, ge=1)
    """Windows drawn an epoch."""
    start_from: str = ""
    """Folder of a run or model whose weights to start from, as far as they fit."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Of the head; auto takes bf16 on a GPU that has it."""
    learning_rate: float = Field(1e-3, gt=0)
    # ---- targets ----
    target_window: int = Field(15, ge=1)
    """Ticks centered on an action that are its positives."""
    displacement_window: int = Field(17, ge=1)
    """Ticks centered on an action whose displacement is learned; elsewhere it is 0."""
    teams: Literal["none", "classes", "output"] = "none"
    """classes doubles the vocabulary: ACTION-left, ACTION-right; output (sgp) tells the team beside the class."""
    # ---- losses ----
    focal_gamma: float = Field(1.2, ge=0)
    focal_alpha: float | None = Field(0.4, ge=0, le=1)
    """Weight of positives, negatives weighing 1 - alpha; null weighs both alike."""
    foreground_weight: float = Field(5.0, gt=0)
    """Of the classes in the cross-entropy, the background weighing 1."""
    displacement_weight: float = Field(1.0, ge=0)
    team_weight: float = Field(2.0, ge=0)
    # ---- sampling ----
    action_probability: float = Field(0.5, gt=0, lt=1)
    """Share of windows drawn near an action."""
    action_window: int = Field(9, ge=1)
    """Ticks centered on an action that count as near it."""
    class_probability: float = Field(0.0, ge=0, le=1)
    """Share of the windows near an action whose class is drawn first, all classes alike."""
    out_of_fold: str = ""
    """Folder of out-of-fold scores (fit-head --fold all): frames scored high without cause are drawn more."""
    clear_window: int = Field(27, ge=1)
    """Ticks centered on an action whose out-of-fold scores do not count."""
    second_data: str = ""
    """Folder of matches with another label set (SoccerNet-v2) to train on as well."""
    second_probability: float = Field(0.5, gt=0, lt=1)
    """Share of windows drawn from them."""
    # ---- augmentation ----
    flip: bool = False
    """Draw half of the windows from the mirrored view's caches, teams swapped."""
    jitter: float = Field(0.0, ge=0, le=1)
    """Probability that the rows of a window are each moved by -1, 0 or 1 (0.2, 0.6, 0.2)."""
    mixup: float = Field(0.0, ge=0)
    """Alpha of the Beta distribution of mixup's share; 0 mixes nothing."""

    @field_validator("target_window", "displacement_window", "action_window", "clear_window")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("a window centered on an action is odd")
        return value

    @model_validator(mode="after")
    def _room_for_both(self) -> FitSettings:
        second = round(self.batch * self.second_probability)
        if self.second_data and not 0 < second < self.batch:
            raise ValueError(
                f"second_probability={self.second_probability:g} of batch={self.batch} leaves one label set no window"
            )
        return self


class EventSettings(Settings):
    """How the events of a class come out of its dense scores."""

    method: Literal["peaks", "hard", "linear", "quadratic"] = "peaks"
    """peaks: local maxima; else every tick, in order of score: what is nearer than `distance` is dropped (hard), or
    its score multiplied by the share of `distance` that lies between (linear), or by its square (quadratic)."""
    sigma: float = Field(3.0, ge=0)
    """Ticks of the Gaussian that smooths the scores."""
    height: float = Field(0.02, ge=0, le=1)
    """Smallest smoothed score of an event."""
    distance: int = Field(8, ge=1)
    """Ticks between two events of a class, at least; with linear and quadratic, how far one lowers others."""


_Share = Annotated[float, Field(ge=0, le=1)]
Knot = tuple[_Share, _Share]


class PeaksSettings(EventSettings):
    """From dense scores to events."""

    classes: dict[str, EventSettings] = Field(default_factory=dict)
    """Actions that differ from the others, by name; what one of them leaves out keeps its default."""
    confidences: dict[str, tuple[Knot, ...]] = Field(default_factory=dict)
    """Of an action: smoothed scores and the confidences that are written for them, from 0, 0 to 1, 1, both rising;
    between them they are interpolated."""
    thresholds: dict[str, _Share] = Field(default_factory=dict)
    """Of an action: confidence from which its events are sure enough to be shown to people and counted; else 0.5."""

    @field_validator("confidences")
    @classmethod
    def _rising(cls, value: dict[str, tuple[Knot, ...]]) -> dict[str, tuple[Knot, ...]]:
        for action, knots in value.items():
            rising = all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(knots))
            if not rising or len(knots) < 2 or knots[0] != (0, 0) or knots[-1] != (1, 1):
                raise ValueError(
                    f"the knots of {action} do not rise from 0, 0 to 1, 1: ranking would be lost"
                )
        return value

    def of(self, action: str) -> EventSettings:
        """What holds for one action."""
        return self.classes.get(action, self)

    def threshold(self, action: str) -> float:
        """Least confidence of an action's events that are shown to people."""
        return self.thresholds.get(action, 0.5)


class Pipeline(Settings):
    """All of a run: what rows it reads, what head it fits and how, what follows, and how events come out."""

    extract: ExtractSettings = ExtractSettings()
    head: HeadSettings = NetVLADSettings()
    fit: FitSettings = FitSettings()
    finetune: FinetuneSettings = FinetuneSettings()
    peaks: PeaksSettings = PeaksSettings()
