"""Complete models: the encoder that fills the cache, its pooling to feature rows, and the head that reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from bas.config import Pipeline, PostprocessSettings
from bas.evaluate.dense_scores import frame_scores
from bas.extract.encode.encoder import Encoder
from bas.extract.encode.stacks import Canvas
from bas.heads.models.base import Head, WindowHead
from bas.heads.models.outputs import Output
from bas.types import Scores, VideoFeatures


def score_features(head: Head, features: VideoFeatures, *, classes: tuple[str, ...]) -> Scores:
    """Scores of every frame of one video, by a head in evaluation mode; its own mode is restored.

    Args:
        head: network on feature rows.
        features: rows of the encoder that the head was trained on.
        classes: names of the head's score columns.
    """
    was_training = head.training
    head.eval()
    rows = head.scores(features.features).cpu().numpy()
    head.train(was_training)
    return frame_scores(rows, features, classes=classes)


class HeadModule(nn.Module):
    """A head with its settings and the names of its score columns."""

    folder: Path | None = None
    """Folder that the model was loaded from."""
    base_postprocess: PostprocessSettings | None = None
    """Post-processing before it was tuned on the validation matches; None if it was not tuned."""

    def __init__(self, head: Head, *, settings: Pipeline, classes: tuple[str, ...]) -> None:
        """
        Args:
            head: network on feature rows.
            settings: settings of the whole pipeline.
            classes: names of the head's score columns.
        """
        super().__init__()
        self.head = head
        self.settings = settings
        self.classes = classes

    @property
    def device(self) -> torch.device:
        """Device of the head's parameters."""
        return next(self.head.parameters()).device

    def scores(self, features: VideoFeatures) -> Scores:
        """Scores of every frame of one video from its feature rows."""
        return score_features(self.head, features, classes=self.classes)

    def apply_head(self, windows: Float[Tensor, "batch window channels height width"]) -> Tensor | Output:
        """Run the head: logits (batch, columns) of a `WindowHead`, the whole `Output` of a `SequenceHead`."""
        output: Output = self.head(windows)
        return output.logits[:, 0] if isinstance(self.head, WindowHead) else output


class FeatureModel(HeadModule):
    """A head without its encoder, on feature vectors."""

    def forward(self, rows: Float[Tensor, "batch window channels"]) -> Tensor | Output:
        """Outputs for windows of feature vectors, see `apply_head`."""
        return self.apply_head(rearrange(rows, "b t c -> b t c 1 1"))


class Stacker(HeadModule):
    """Encoder and head as one network: luma to logits, or cached rows to scores by the same head."""

    def __init__(self, encoder: Encoder, head: Head, *, settings: Pipeline, classes: tuple[str, ...]) -> None:
        """
        Args:
            encoder: the encoder that produced the training rows of `head`.
            head: network on these rows.
            settings: settings of the whole pipeline.
            classes: names of the head's score columns.
        """
        super().__init__(head, settings=settings, classes=classes)
        self.encoder = encoder

    @property
    def stackers(self) -> tuple[Stacker, ...]:
        """The networks at work: this one."""
        return (self,)

    @property
    def frame_offsets(self) -> tuple[int, ...]:
        """Sorted offsets of a window's frames from its center, in frames of the model's clock."""
        return tuple(np.unique(self._stacks()).tolist())

    def forward(self, luma: Float[Tensor, "batch frames height width"]) -> Tensor | Output:
        """Outputs for windows of pictures in [0, 1], one picture per entry of `frame_offsets`.

        Pictures may have any size; feature maps larger than the grid are averaged to it.
        """
        stacks = self._stacks()
        # Positions in `luma` of the pictures of each stack; stacks may share pictures.
        pictures = torch.from_numpy(np.searchsorted(np.unique(stacks), stacks))
        rows = self.encode(rearrange(luma[:, pictures], "b w s y x -> (b w) s y x"))
        return self.apply_head(rearrange(rows, "(b w) c y x -> b w c y x", b=len(luma)))

    def encode(self, stacks: Float[Tensor, "n 3 height width"]) -> Float[Tensor, "n channels gh gw"]:
        """Feature rows of stacks of pictures in [0, 1], as in the cache but before rounding to float16."""
        canvas = Canvas(*stacks.shape[2:])
        rows, columns = canvas.inside
        padded = canvas.empty(len(stacks), device=stacks.device, dtype=stacks.dtype)
        padded[:, :, rows, columns] = stacks
        maps = self.encoder(padded)
        grid = tuple(map(min, self.settings.extract.grid, maps.shape[2:]))
        return functional.adaptive_avg_pool2d(maps.float(), grid)

    def _stacks(self) -> Int64[np.ndarray, "window 3"]:
        """Frame offsets of each stack of a window."""
        extract = self.settings.extract
        frames: Int64[np.ndarray, "window 3"] = self.head.offsets[:, None] * extract.hop + np.array(
            extract.stack
        )
        return frames
