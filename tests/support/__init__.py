"""Helpers that tests share: rendered videos, matches, caches, processes to kill."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The checkout."""
GOLDEN = ROOT / "tests" / "golden"
"""Numbers of the published implementations."""
