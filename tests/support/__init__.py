"""Helpers that tests share: rendered videos, matches, caches, processes to kill."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
