"""Training ends with a search for post-processing, which these tests shorten."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def _shorten(short_search: None) -> None:
    """Apply `short_search` to every test here."""
