"""Settings of the heads, one class per kind."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from bas.config.base import OddInt, Settings

Scoring = Literal["sigmoid", "softmax", "sigmoid+background"]
Pooling = Literal["NetVLAD++", "NetVLAD", "NetRVLAD++", "NetRVLAD", "MAX++", "MAX", "AVG++", "AVG"]


class _HeadSettings(Settings):
    scoring: Scoring = "sigmoid"
    """Class scores: sigmoid scores every class independently, with focal loss; softmax picks one of the classes or
    background, with cross-entropy; sigmoid+background is sigmoid with background as one more class."""
    dropout: float = Field(0.4, ge=0, lt=1)
    """Dropout before the last layer."""


class LinearSettings(_HeadSettings):
    """Linear classifier of single rows, without temporal context."""

    kind: Literal["linear"] = "linear"
    """Kind of the head."""


class NetVLADSettings(_HeadSettings):
    """NetVLAD++ and other pooling heads, sized for ball actions."""

    kind: Literal["netvlad"] = "netvlad"
    """Kind of the head."""
    pool: Pooling = "NetVLAD++"
    """Temporal pooling; ++ pools the rows before the frame and those from it on separately, R omits the
    cluster centers."""
    dim: int = Field(192, ge=1, le=16_384)
    """Width of a row after the linear layer; rows that already have this many channels skip it."""
    clusters: int = Field(8, ge=1, le=1024)
    """Clusters of each pool; with ++ there is one pool before the frame and one from it on."""
    window_seconds: float = Field(1.6, gt=0, le=30)
    """Length of the whole window; one half lies before the frame, the other from the frame on."""


class Blocks3DSettings(_HeadSettings):
    """3D convolution blocks over a window of stacks."""

    kind: Literal["blocks3d"] = "blocks3d"
    """Kind of the head."""
    frames: Literal[15, 33] = 15
    """Frames that a window covers in steps of two: 15 are 5 stacks, 33 are 11."""
    blocks: int = Field(4, ge=1, le=64)
    """Number of blocks."""
    expansion: int = Field(3, ge=1, le=64)
    """Expansion ratio inside a block."""
    projection: int = Field(256, ge=1, le=16_384)
    """Channels of each slice before pooling."""
    drop_path: float = Field(0.2, ge=0, lt=1)
    """Probability that a window skips a block during training."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Dropout before the last layer."""
    mode: Literal["windowed", "dense"] = "windowed"
    """Scoring of a match: windowed, as in training, or in one dense pass that approximates it."""


class ClipSettings(_HeadSettings):
    """Settings of heads that classify every row of a clip."""

    clip_rows: int = Field(100, ge=8, le=100_000)
    """Rows of a clip, in training and scoring."""
    dim: int = Field(192, ge=16, le=16_384)
    """Width of a row after pooling; rows that already have this many channels skip the linear layer."""
    pool: Literal["gem", "average"] = "average"
    """Spatial pooling of a row's feature map; gem needs an encoder whose maps are non-negative."""


class SGPSettings(ClipSettings):
    """T-DEED's encoder-decoder of SGP layers."""

    kind: Literal["sgp"] = "sgp"
    """Kind of the head."""
    dim: int = Field(192, ge=16, le=16_384, multiple_of=16)
    """Width of a row after pooling; rows that already have this many channels skip the linear layer."""
    levels: int = Field(2, ge=1, le=16)
    """Number of times that the frame rate is halved."""
    kernel: OddInt = 9
    """Kernel size of the short convolutions in rows, odd."""
    k: int = Field(4, ge=1, le=64)
    """Size of the long windows relative to the short ones."""
    displacement: Literal["none", "shared", "class"] = "shared"
    """Regression of the displacement to the nearest action, in rows: none, one value shared by all classes as in T-DEED,
    or one per class."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """Dropout before the last layer."""


class GRUSettings(ClipSettings):
    """A bidirectional recurrent layer."""

    kind: Literal["gru"] = "gru"
    """Kind of the head."""
    hidden: int = Field(192, ge=1, le=16_384)
    """Hidden units per direction."""


_AnyHead = LinearSettings | NetVLADSettings | Blocks3DSettings | SGPSettings | GRUSettings
HeadSettings = Annotated[_AnyHead, Field(discriminator="kind")]
HEAD_KINDS: tuple[str, ...] = tuple(head.model_fields["kind"].default for head in get_args(_AnyHead))
