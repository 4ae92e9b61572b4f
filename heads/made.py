"""What stored predictions were made of, so that none is taken for those of another model, view or video.

A video is told by name and size.

<folder of a game's predictions>/made.json    weights, settings, view, videos, and post-processing
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bas.errors import BasError
from bas.evaluate.dense import SCORES_FILE
from bas.evaluate.soccernet import RESULTS_FILE
from bas.files import read_json, sha256_of, write_json
from bas.heads.merged import Spotter
from bas.heads.models import read_config
from bas.types import Game

_FILE = "made.json"


@dataclass(frozen=True, slots=True)
class Maker:
    """A model and a view, as they are written down."""

    scores: Mapping[str, Any]
    """All that dense scores follow from, but for the video."""
    peaks: Mapping[str, Any]
    """Post-processing, from which events follow besides."""

    def record(self, folder: Path, game: Game) -> None:
        """Write down that the predictions of a game in `folder` are this maker's, once they are whole."""
        videos = {video.path.name: video.path.stat().st_size for video in game.videos}
        write_json(folder / _FILE, {"scores": self.scores, "peaks": self.peaks, "videos": videos})

    def has_scores(self, folder: Path, game: Game) -> bool:
        """Whether the dense scores in `folder` are what would be made anew."""
        return (folder / SCORES_FILE).is_file() and self._made(folder, game) is not None

    def has_events(self, folder: Path, game: Game) -> bool:
        """Whether the events in `folder` are too."""
        made = self._made(folder, game)
        return (folder / RESULTS_FILE).is_file() and made is not None and made["peaks"] == self.peaks

    def _made(self, folder: Path, game: Game) -> Mapping[str, Any] | None:
        try:
            made = read_json(folder / _FILE)
        except BasError:
            return None
        there = {video.path.name: video.path.stat().st_size for video in game.videos if video.path.is_file()}
        match made:
            case {"scores": self.scores, "videos": dict(videos), "peaks": dict()} if (
                there.items() <= videos.items()
            ):
                return dict(made)
            case _:
                return None


def maker_of(model: Spotter, *, flip: bool = False) -> Maker:
    """What the predictions of a model from disk follow from."""
    assert model.folder is not None, "a model that was never saved"
    config = read_config(model.folder)
    settings = dict(config["settings"])
    peaks = settings.pop("peaks")
    files = [model.folder / "model.safetensors", *sorted(model.folder.glob("members/*/model.safetensors"))]
    scores = {
        "weights": [sha256_of(file) for file in files if file.is_file()],
        "members": [
            config.get("members", []),
            *(sha256_of(file.with_name("config.json")) for file in files[1:]),
        ],
        "settings": settings,
        "flip": flip,
    }
    return Maker(scores, peaks)


def forget(folder: Path) -> None:
    """Before predictions are made anew: what is there may be mixed until they are whole."""
    (folder / _FILE).unlink(missing_ok=True)
