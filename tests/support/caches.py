"""Attributes of cache files, for tests that write such files without a video."""

from __future__ import annotations

from typing import Any

from bas.extract.cache.format import FORMAT, CacheAttributes


def cache_attributes(**changes: Any) -> CacheAttributes:
    """Attributes of a cache at 25 frames per second with a hop of 2, with some values changed."""
    values: dict[str, Any] = dict.fromkeys(CacheAttributes.__dataclass_fields__, 0) | {
        "format": FORMAT,
        "fingerprint": "{}",
        "clock": "25",
        "hop": 2,
        "segment_rows": 1,
        "video_sha256": "",
        "time_base": "1/25",
        "decoder": "cpu",
        "precision": "fp32",
        "versions": "",
        "complete": 1,
        "turned": "",
        "video_sample": "",
    }
    return CacheAttributes(**(values | changes))
