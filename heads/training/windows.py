"""Windows of feature rows, gathered from the caches of many videos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float16, Int64

from bas.heads.models.base import FeatureRows


class FeatureBank:
    """Feature rows of several videos under one numbering; windows never cross from one video to the next."""

    def __init__(self, videos: Sequence[Float16[np.ndarray, "_ channels height width"]]) -> None:
        self._videos = videos
        self._starts = np.cumsum([0, *(len(rows) for rows in videos)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def row_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a feature row."""
        _, channels, height, width = self._videos[0].shape
        return channels, height, width

    def rows(self, numbers: Int64[np.ndarray, "n"]) -> FeatureRows:
        """Feature rows with the given numbers."""
        gathered = np.empty((len(numbers), *self.row_shape), np.float16)
        for i, (video, row) in enumerate(zip(*self._locate(numbers), strict=True)):
            gathered[i] = self._videos[video][row]
        return gathered

    def windows(
        self, centers: Int64[np.ndarray, "batch"], offsets: Int64[np.ndarray, "batch window"]
    ) -> Float16[np.ndarray, "batch window channels height width"]:
        """Windows at `offsets` from their centers; beyond an end of a video its first or last row repeats."""
        gathered = np.empty((*offsets.shape, *self.row_shape), np.float16)
        for i, (video, row) in enumerate(zip(*self._locate(centers), strict=True)):
            np.take(self._videos[video], row + offsets[i], axis=0, out=gathered[i], mode="clip")
        return gathered

    def rows_around(
        self, centers: Int64[np.ndarray, "batch"], offsets: Int64[np.ndarray, "window"]
    ) -> tuple[Int64[np.ndarray, "batch window"], Bool[np.ndarray, "batch window"]]:
        """Numbers of the rows around centers, and whether each lies inside the video; the rest are clamped to its ends."""
        videos, _ = self._locate(centers)
        rows = centers[:, None] + offsets
        first, last = self._starts[videos][:, None], self._starts[videos + 1][:, None] - 1
        return rows.clip(first, last), (rows >= first) & (rows <= last)

    def shifted(
        self, numbers: Int64[np.ndarray, "n"], steps: Int64[np.ndarray, "n"]
    ) -> Int64[np.ndarray, "n"]:
        """Row numbers moved by `steps`, clamped to the ends of their videos."""
        videos, _ = self._locate(numbers)
        rows: Int64[np.ndarray, "n"] = (numbers + steps).clip(
            self._starts[videos], self._starts[videos + 1] - 1
        )
        return rows

    def _locate(
        self, numbers: Int64[np.ndarray, "n"]
    ) -> tuple[Int64[np.ndarray, "n"], Int64[np.ndarray, "n"]]:
        # "right": the number of a video's first row equals its start and belongs to it.
        videos = np.searchsorted(self._starts, numbers, "right") - 1
        return videos, numbers - self._starts[videos]
