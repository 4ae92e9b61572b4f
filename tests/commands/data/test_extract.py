"""`bas extract` over a split, and over a shard of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bas.commands.data.extract import extract_split
from bas.config import ExtractSettings
from bas.errors import SettingsError


@pytest.mark.parametrize("shard", ["5", "2/2", "0/0", "-1/2", "a/b"])
def test_an_impossible_shard_is_rejected_before_the_data_is_opened(tmp_path: Path, shard: str) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(SettingsError, match=f"Invalid --shard '{shard}'.*Use I/N with"):
        extract_split(
            ExtractSettings(),
            data=missing,
            features=missing,
            split="train",
            device="cpu",
            decoder="cpu",
            shard=shard,
        )
