"""Golden numbers, labels and predictions on disk, and a model that reads its scores from the feature rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from einops import reduce, repeat
from support import GOLDEN
from support.caches import cache_attributes

from bas.evaluate.dense_scores import frame_scores
from bas.extract.cache.format import CacheHeader
from bas.extract.cache.reader import FeatureCache
from bas.guarded.hdf5 import pack_trailer
from bas.types import Scores, VideoFeatures


@pytest.fixture(scope="session")
def average_precision_golden() -> dict[str, Any]:
    """Numbers of SoccerNet 0.2.0 in full precision."""
    result: dict[str, Any] = json.loads((GOLDEN / "average_precision.json").read_text())
    return result


@pytest.fixture(scope="session")
def peaks_golden() -> dict[str, Any]:
    """Peaks of SciPy with the parameters of lRomul."""
    result: dict[str, Any] = json.loads((GOLDEN / "peaks.json").read_text())
    return result


class Reader:
    """A model that scores a row by its own values: channel k is class k."""

    classes = ("PASS-left", "PASS-right", "DRIVE-left", "DRIVE-right")

    def scores(self, features: VideoFeatures) -> Scores:
        """Score of a class: mean of its channel over the grid."""
        rows = features.features.astype(np.float32)
        means = reduce(rows, "rows channels height width -> rows channels", "mean")
        return frame_scores(means, features, classes=self.classes)


@pytest.fixture
def reader() -> Reader:
    """A model whose scores a test writes into the feature rows."""
    return Reader()


MakeCache = Callable[[np.ndarray, int], FeatureCache]


@pytest.fixture
def make_cache(tmp_path: Path) -> MakeCache:
    """Cache scores (rows, classes) as feature rows on a 1 x 2 grid, one every `hop` frames at 25 fps."""

    def make(scores: np.ndarray, hop: int) -> FeatureCache:
        rows = repeat(scores.astype(np.float16), "rows classes -> rows classes 1 two", two=2)
        path = tmp_path / f"{hash(scores.tobytes())}.rows"
        path.write_bytes(rows.tobytes() + pack_trailer(0, bytes(32)))
        header = CacheHeader(
            attributes=cache_attributes(hop=hop, num_frames=hop * len(rows), segment_rows=len(rows)),
            offset=0,
            shape=rows.shape,
            pts=np.arange(hop * len(rows)),
            valid=np.ones(len(rows), dtype=bool),
            segment_sha256=(),
            identity=bytes(32).hex(),
        )
        return FeatureCache(path, header)

    return make
