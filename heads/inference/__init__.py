"""Prediction with finished models."""

from bas.heads.inference.analyzed_videos import AnalyzedVideo, MediaSource, analyzed_videos
from bas.heads.inference.ensemble import (
    Ensemble,
    Mirrored,
    VideoModel,
    flip_averaged,
    load_model,
    load_stacker,
    load_video_model,
)
from bas.heads.inference.features import features_for
from bas.heads.inference.guards import VALID, require_same, require_unseen, validation_games
from bas.heads.inference.predictor import (
    Predictor,
    load_predictor,
    predict,
    predictions_folder,
)
from bas.heads.inference.provenance import Provenance
from bas.heads.inference.single_video import sidecar_folder, video_game

__all__ = [
    "VALID",
    "AnalyzedVideo",
    "Ensemble",
    "MediaSource",
    "Mirrored",
    "Predictor",
    "Provenance",
    "VideoModel",
    "analyzed_videos",
    "features_for",
    "flip_averaged",
    "load_model",
    "load_predictor",
    "load_stacker",
    "load_video_model",
    "predict",
    "predictions_folder",
    "require_same",
    "require_unseen",
    "sidecar_folder",
    "validation_games",
    "video_game",
]
