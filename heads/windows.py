"""Windows of rows around their centers, gathered from the caches of many videos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from bas.heads.head import Rows


class RowBank:
    """The rows of several videos as one long run of numbered rows; a window never leaves its video."""

    def __init__(self, videos: Sequence[Rows]) -> None:
        self._videos = videos
        self._starts = np.cumsum([0, *(len(rows) for rows in videos)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def row_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a row."""
        _, channels, height, width = self._videos[0].shape
        return channels, height, width

    def rows(self, numbers: Int64[np.ndarray, "n"]) -> Rows:
        """Rows by their numbers."""
        gathered = np.empty((len(numbers), *self.row_shape), np.float16)
        for i, (video, row) in enumerate(zip(*self._locate(numbers), strict=True)):
            gathered[i] = self._videos[video][row]
        return gathered

    def windows(
        self,
        centers: Int64[np.ndarray, "batch"],
        offsets: Int64[np.ndarray, "window"],
        *,
        device: torch.device,
    ) -> Float[Tensor, "batch window channels height width"]:
        """float32 windows; at the ends of a video its first or last row is repeated."""
        gathered = np.empty((len(centers), len(offsets), *self.row_shape), np.float16)
        for i, (video, row) in enumerate(zip(*self._locate(centers), strict=True)):
            rows = self._videos[video]
            np.take(rows, row + offsets, axis=0, out=gathered[i], mode="clip")
        return torch.from_numpy(gathered).to(device, non_blocking=True).float()

    def _locate(
        self, numbers: Int64[np.ndarray, "n"]
    ) -> tuple[Int64[np.ndarray, "n"], Int64[np.ndarray, "n"]]:
        videos = np.searchsorted(self._starts, numbers, "right") - 1
        return videos, numbers - self._starts[videos]
