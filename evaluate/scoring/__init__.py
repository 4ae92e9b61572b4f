"""Scoring: documents or detections in, an Evaluation out."""

from bas.evaluate.scoring.score import (
    FRAMERATE,
    Evaluation,
    official_framerate,
    read_documents,
    score,
    score_detections,
    score_documents,
)

__all__ = [
    "FRAMERATE",
    "Evaluation",
    "official_framerate",
    "read_documents",
    "score",
    "score_detections",
    "score_documents",
]
