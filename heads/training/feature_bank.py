"""Feature rows of many videos as one bank, from which windows are gathered."""

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

    def rows(self, numbers: Int64[np.ndarray, "n"]) -> FeatureRows:
        """Feature rows with the given numbers."""
        return self.windows(numbers, np.zeros((len(numbers), 1), np.int64))[:, 0]

    def windows(
        self, centers: Int64[np.ndarray, "batch"], offsets: Int64[np.ndarray, "batch window"]
    ) -> Float16[np.ndarray, "batch window channels height width"]:
        """Windows at `offsets` from their centers; beyond an end of a video its first or last row repeats."""
        # float16 as cached: the batch becomes float32 only on its device
        gathered = np.empty((*offsets.shape, *self._videos[0].shape[1:]), np.float16)
        for i, (video, row) in enumerate(zip(*self._locate(centers), strict=True)):
            # "clip" repeats the row at an end, and unlike "raise" writes to `out` without a buffer.
            np.take(self._videos[video], row + offsets[i], axis=0, out=gathered[i], mode="clip")
        return gathered

    def rows_around(
        self, centers: Int64[np.ndarray, "batch"], offsets: Int64[np.ndarray, "window"]
    ) -> tuple[Int64[np.ndarray, "batch window"], Bool[np.ndarray, "batch window"]]:
        """Numbers of the rows around centers, and whether each lies inside the video; the rest are clamped to its ends."""
        videos, _ = self._locate(centers)
        rows = centers[:, None] + offsets
        # A video ends one row before the next one starts; `_starts` holds one more entry than videos.
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
