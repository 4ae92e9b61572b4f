"""Memory maps of caches: any number of them, whatever the limit of open files, and never of another file."""

from __future__ import annotations

import gc
import resource
from pathlib import Path

import numpy as np
import pytest
from support.caches import cache_attributes
from support.killing import in_child

from bas.errors import DataError
from bas.extract.cache.parts import hash_rows
from bas.extract.cache.reader import open_cache
from bas.extract.cache.writer import write_cache
from bas.heads.training.feature_bank import FeatureBank

_VIDEOS = 120
_ROWS = 8


def _cache(path: Path, value: float) -> Path:
    rows = np.full((_ROWS, 3, 2, 2), value, "<f2")
    rows[:, 0, 0, 0] = np.arange(_ROWS)
    write_cache(
        path,
        cache_attributes(num_frames=2 * _ROWS, segment_rows=_ROWS),
        row_shape=rows.shape[1:],
        pts=np.arange(2 * _ROWS),
        valid=np.ones(_ROWS, bool),
        segment_sha256=(hash_rows(rows),),
        segments=iter([rows]),
    )
    return path


def test_windows_of_120_videos_are_read_by_a_process_that_may_open_64_files(tmp_path: Path) -> None:
    paths = [_cache(tmp_path / f"{number}.h5", number) for number in range(_VIDEOS)]

    def read() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        bank = FeatureBank([open_cache(path).features for path in paths])
        rows = np.arange(_VIDEOS * _ROWS)
        windows = bank.windows(rows, np.tile([-1, 0, 1], (len(rows), 1)))
        assert (windows[:, 1, 1, 1, 1] == rows // _ROWS).all()
        assert (windows[:, 1, 0, 0, 0] == rows % _ROWS).all()

    assert in_child(read) == 0


def test_rows_cannot_be_written_and_outlive_their_cache(tmp_path: Path) -> None:
    last = open_cache(_cache(tmp_path / "v.h5", 3)).features[-1]
    gc.collect()
    assert (last[1:] == 3).all()
    with pytest.raises(ValueError, match="read-only"):
        last[0] = 0


def test_a_map_ends_with_the_last_array_that_reads_it(tmp_path: Path) -> None:
    path = _cache(tmp_path / "v.h5", 3)
    rows = open_cache(path).features[2:]
    assert str(path) in Path("/proc/self/maps").read_text()
    del rows
    gc.collect()
    assert str(path) not in Path("/proc/self/maps").read_text()


def test_a_file_that_is_replaced_before_its_rows_are_read_is_an_error(tmp_path: Path) -> None:
    cache = open_cache(_cache(tmp_path / "v.h5", 3))
    _cache(tmp_path / "other.h5", 4).replace(cache.path)
    with pytest.raises(DataError, match=r"was replaced while it was in use\. Run the same command again"):
        _ = cache.features
