"""Provenance of stored predictions.

A file is reused only if the same model, settings, view and video produced it, and if it has not changed
since. A video is identified by name, size and a sample of its bytes.

<folder of a game's predictions>/made.json    weights, settings, view, videos, post-processing, hashes of the files
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bas import console
from bas.config import upgrade
from bas.errors import DataError, MissingError
from bas.evaluate.dense_scores import SCORES_FILE
from bas.evaluate.formats.soccernet import RESULTS_FILE
from bas.files import read_json, sample_of, sha256_of, write_json
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
        record = {
            "scores": self.scores,
            "peaks": self.postprocess,
            "videos": {video.path.name: video.path.stat().st_size for video in game.videos},
            "samples": {video.path.name: sample_of(video.path) for video in game.videos},
            "files": {name: sha256_of(folder / name) for name in (SCORES_FILE, RESULTS_FILE)},
        }
        write_json(folder / _FILE, record)

    def has_scores(self, folder: Path, game: Game) -> bool:
        """Whether the dense scores in `folder` are those that this model and view would produce."""
        return self._stored_postprocess(folder, game, SCORES_FILE) is not None

    def has_detections(self, folder: Path, game: Game) -> bool:
        """Whether the detections in `folder` are those that this model and view would produce."""
        return self._stored_postprocess(folder, game, RESULTS_FILE) == self.postprocess

    def _stored_postprocess(self, folder: Path, game: Game, name: str) -> Mapping[str, Any] | None:
        """Post-processing of the predictions in `folder`; None unless model, view, videos and the file are the same."""
        if not (folder / name).is_file():
            return None
        try:
            recorded = read_json(folder / _FILE)
        except MissingError:
            return None
        except DataError as error:
            console.warn(f"{error} Predicting {game.id} again.")
            return None
        match recorded:
            case {"scores": {"settings": dict(settings)} as scores, "videos": dict(videos), "peaks": dict()}:
                # The file may be older than the present names of settings.
                stored = upgrade({**settings, "peaks": recorded["peaks"]})
                postprocess: Mapping[str, Any] = stored.pop("peaks")
                same = {**scores, "settings": stored} == self.scores and _same_videos(recorded, videos, game)
                return postprocess if same and _is_as_written(recorded, folder / name) else None
            case _:
                console.warn(f"{folder / _FILE} is damaged. Predicting {game.id} again.")
                return None


def _same_videos(recorded: Mapping[str, Any], sizes: Mapping[str, Any], game: Game) -> bool:
    """Whether the videos of a game are those of a record; videos that were deleted since do not make it stale."""
    there = [video.path for video in game.videos if video.path.is_file()]
    if any(sizes.get(path.name) != path.stat().st_size for path in there):
        return False
    samples = recorded.get("samples")  # absent in records of earlier versions
    return not isinstance(samples, dict) or all(samples.get(path.name) == sample_of(path) for path in there)


def _is_as_written(recorded: Mapping[str, Any], file: Path) -> bool:
    """Whether a file has the recorded hash, with a warning if not; true in records of earlier versions."""
    hashes = recorded.get("files")
    if not isinstance(hashes, dict) or hashes.get(file.name) == sha256_of(file):
        return True
    console.warn(f"{file} changed after it was written. It is not used, but computed again.")
    return False


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
