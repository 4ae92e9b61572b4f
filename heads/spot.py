"""What a model reads of games, and what it says of every tick of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bas import console
from bas.dataset import Dataset
from bas.dataset.games import listing
from bas.dataset.layouts import SPOTS
from bas.errors import DataError
from bas.evaluate.dense import SCORES_FILE, read_scores
from bas.evaluate.peaks import actions_of
from bas.evaluate.predict import BothViews, Rows, slide
from bas.extract.cache import FeatureCache
from bas.extract.decode import Decoder
from bas.extract.run import cached_rows
from bas.heads.made import maker_of
from bas.heads.material import with_rows
from bas.heads.merged import MergedModel, Spotter
from bas.heads.models import learned_games
from bas.heads.stacker import Stacker
from bas.types import Game, Scores


def predictions_folder(run: Path, split: str, *, flip: bool = False) -> Path:
    """Folder of a run that takes what it says of a split."""
    return run / "predictions" / (f"{split}-flip" if flip else split)


def spots_folder(video: Path) -> Path:
    """Folder beside a video that takes what models say of it."""
    return video.with_name(video.name + SPOTS)


def require_classes(model: Spotter, dataset: Dataset, *, run: Path) -> None:
    """Refuse matches that are labeled in other classes than the model tells.

    Raises:
        DataError: with both vocabularies.
    """
    if set(actions_of(model.classes)) != set(dataset.classes):
        raise DataError(
            f"The model in {run} tells {', '.join(actions_of(model.classes))}; the labels of {dataset.root} are "
            f"{', '.join(dataset.classes)}. Give a model of these classes, or the matches it was made for."
        )


def warn_of_learned(run: Path, games: Sequence[Game]) -> None:
    """Say when a model is to be judged by games that it learned from."""
    seen = sorted(learned_games(run) & {game.id for game in games})
    if seen:
        console.warn(
            f"{run} learned from {listing(seen)}: what it scores there says nothing about other matches."
        )


def model_rows(
    model: Spotter,
    games: Sequence[Game],
    *,
    features: Path,
    decoder: Decoder,
    flip: bool = False,
    degrade: bool = False,
) -> dict[Path, Rows]:
    """The rows that a model reads, by path of the video, by its own encoder; extracted first where they lack.

    Args:
        flip: get those of the mirrored pictures too.
        degrade: make do with what a damaged video holds, and say so, instead of what the settings say.
    """
    if isinstance(model, MergedModel):
        each = [
            model_rows(one, games, features=features, decoder=decoder, flip=flip, degrade=degrade)
            for one in model.members
        ]
        whole = [path for path in each[0] if all(path in rows for rows in each)]
        return {path: tuple(_of_one(rows[path]) for rows in each) for path in whole}
    view = partial(_view, model, games, features=features, decoder=decoder, degrade=degrade)
    seen = view(mirrored=False)
    if not flip:
        return dict(seen)
    mirrored = view(mirrored=True)
    return {path: BothViews(seen[path], mirrored[path]) for path in seen if path in mirrored}


def dense_scores(
    model: Spotter, folder: Path, games: Sequence[Game], *, split: str, features: Path, decoder: Decoder
) -> dict[str, dict[int, Scores]]:
    """Scores of every tick by game and half: those that `bas eval` left in the run's folder if they are its own, or new ones.

    Raises:
        DataError: no game is left, for damaged videos.
    """
    maker, stored = maker_of(model), predictions_folder(folder, split)
    found = {
        game.id: read_scores(stored / game.id / SCORES_FILE)
        for game in games
        if maker.has_scores(stored / game.id, game)
    }
    lacking = [game for game in games if game.id not in found]
    if not lacking:
        return found
    rows = model_rows(model, lacking, features=features, decoder=decoder)
    with console.progress(f"scoring with {folder.name}", len(lacking), unit="games") as advance:
        for game in with_rows(lacking, rows):
            found[game.id] = {video.half: slide(model, rows[video.path]) for video in game.videos}
            advance(note=game.id)
    return found


def _view(
    model: Stacker,
    games: Sequence[Game],
    *,
    features: Path,
    decoder: Decoder,
    degrade: bool,
    mirrored: bool,
) -> dict[Path, FeatureCache]:
    assert model.folder is not None, "a model that was never saved has no encoder to extract with"
    own = model.settings.extract
    changes: dict[str, Any] = {"weights": str(model.folder), "flip": own.flip != mirrored}
    if degrade:
        changes["on_bad_video"] = "degrade"
    settings = own.model_copy(update=changes)
    return cached_rows(games, settings, features=features, device=str(model.device), decoder=decoder)


def _of_one(rows: Rows) -> FeatureCache | BothViews:
    assert not isinstance(rows, tuple), "members are single models"
    return rows
