"""Rendered matches that the tests of this room share."""

from __future__ import annotations

from pathlib import Path

import pytest

from bas.synthetic import synthesize


@pytest.fixture(scope="session")
def matches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of three matches of 15 s, one a split; it is read, never written."""
    folder = tmp_path_factory.mktemp("matches") / "data"
    synthesize(folder, matches=3, minutes=0.25, size="224x128", profile="even", seed=3)
    return folder
