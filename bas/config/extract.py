"""Settings of stage 1, the extraction of features."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field, field_validator

from bas.clock import parse_rate
from bas.config.base import Settings

TimeOrigin = Literal["auto", "start", "zero"]

_Offset = Annotated[int, Field(ge=-1000, le=1000)]
_Cells = Annotated[int, Field(ge=1, le=128)]


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
    stack: tuple[_Offset, _Offset, _Offset] = (-2, 0, 2)
    """The three frames that form one encoder input, relative to the row's own frame."""
    hop: int = Field(2, ge=1, le=1000)
    """Frames from one row to the next."""
    height: int = Field(720, ge=32, le=4096)
    """Picture height before padding; pictures of another size are scaled."""
    width: int = Field(1280, ge=32, le=4096)
    """Picture width before padding."""
    grid: tuple[_Cells, _Cells] = (6, 10)
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
    batch: int = Field(30, ge=1, le=4096)
    """Rows per encoder call; a call never spans two segments."""
    segment_seconds: int = Field(60, ge=1, le=86_400)
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
