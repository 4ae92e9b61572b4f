"""Provenance of stored predictions.

A file is reused only if the same model, settings, view and video produced it. A video is identified by
name and size.

<folder of a game's predictions>/made.json    weights, settings, view, videos, and post-processing
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bas.config import upgrade
from bas.errors import BasError
from bas.evaluate.formats.soccernet import RESULTS_FILE
from bas.evaluate.scores import SCORES_FILE
from bas.files import read_json, sha256_of, write_json
from bas.heads.interop.model_folder import read_config
from bas.types import Game

_FILE = "made.json"


@dataclass(frozen=True, slots=True)
class Provenance:
    """A model and a view, in the form that made.json records."""

    scores: Mapping[str, Any]
    """Everything that determines dense scores, except the video."""
    postprocess: Mapping[str, Any]
    """Post-processing settings, which together with `scores` determine the detections."""

    def record(self, folder: Path, game: Game) -> None:
        """Record that this model and view produced the predictions in `folder`; call it once they are complete."""
        videos = {video.path.name: video.path.stat().st_size for video in game.videos}
        write_json(folder / _FILE, {"scores": self.scores, "peaks": self.postprocess, "videos": videos})

    def has_scores(self, folder: Path, game: Game) -> bool:
        """Whether the dense scores in `folder` are those that this model and view would produce."""
        return (folder / SCORES_FILE).is_file() and self._stored_postprocess(folder, game) is not None

    def has_detections(self, folder: Path, game: Game) -> bool:
        """Whether the detections in `folder` are those that this model and view would produce."""
        return (folder / RESULTS_FILE).is_file() and self._stored_postprocess(
            folder, game
        ) == self.postprocess

    def _stored_postprocess(self, folder: Path, game: Game) -> Mapping[str, Any] | None:
        """Post-processing of the predictions in `folder`; None unless model, view and videos are the same."""
        try:
            recorded = read_json(folder / _FILE)
        except BasError:
            return None
        there = {video.path.name: video.path.stat().st_size for video in game.videos if video.path.is_file()}
        # Videos that were deleted since do not make the predictions stale.
        match recorded:
            case {"scores": {"settings": dict(settings)} as scores, "videos": dict(videos), "peaks": dict()}:
                # The file may be older than the present names of settings.
                stored = upgrade({**settings, "peaks": recorded["peaks"]})
                postprocess: Mapping[str, Any] = stored.pop("peaks")
                same = {**scores, "settings": stored} == self.scores and there.items() <= videos.items()
                return postprocess if same else None
            case _:
                return None


def provenance_of(model: Path, *, flip: bool) -> Provenance:
    """Provenance of the predictions of a model folder, for the original view or for both views averaged."""
    config = read_config(model)
    settings = dict(config["settings"])
    postprocess = settings.pop("peaks")
    files = [model / "model.safetensors", *sorted(model.glob("members/*/model.safetensors"))]
    scores = {
        "weights": [sha256_of(file) for file in files if file.is_file()],
        "members": [
            config.get("members", []),
            *(sha256_of(file.with_name("config.json")) for file in files[1:]),
        ],
        "settings": settings,
        "flip": flip,
    }
    return Provenance(scores, postprocess)


def invalidate(folder: Path) -> None:
    """Remove the record before predictions are replaced: until that is done, old and new may be mixed."""
    (folder / _FILE).unlink(missing_ok=True)
