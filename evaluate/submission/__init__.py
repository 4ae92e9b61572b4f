"""Submission archives for the challenge server, built and checked."""

from bas.evaluate.submission.archive import write_submission
from bas.evaluate.submission.check import check_submission
from bas.evaluate.submission.expected_games import expected_games

__all__ = ["check_submission", "expected_games", "write_submission"]
