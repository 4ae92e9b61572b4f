"""Submission archives for the challenge server, built and checked."""

from bas.evaluate.submission.archive import check_submission, write_submission
from bas.evaluate.submission.games import expected_games

__all__ = ["check_submission", "expected_games", "write_submission"]
