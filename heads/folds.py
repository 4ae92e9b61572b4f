"""Cross-validation over matches: each is scored by a head that never saw it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from bas import console
from bas.config import Pipeline
from bas.dataset import Dataset, open_dataset
from bas.errors import SettingsError
from bas.evaluate import report
from bas.evaluate.run import write_predictions
from bas.evaluate.score import score
from bas.extract.run import cached_rows
from bas.extract.split import training_games
from bas.heads.film import sound_games
from bas.heads.lessons import Place
from bas.heads.material import with_rows
from bas.heads.models import load_single
from bas.heads.run import fit_games, labeled_games
from bas.types import Game

_MOST_FOLDS = 7  # of `all`: one a match, as in the winning run of 2023, while matches are few
_FOLD = re.compile(r"([0-9]+)/([0-9]+)")


def fit_folds(settings: Pipeline, place: Place, *, fold: str) -> list[Path]:
    """Fit on the matches of train and valid without those of one fold, or of each fold in turn.

    After `all`, the scores of every match by the head that never saw it are in
    `<runs>/<kind>-folds-<name of the runs>`, which `fit.out_of_fold` takes.

    Args:
        settings: of the whole pipeline.
        place: of data, caches and runs.
        fold: k/n, k counted from 0; or all.

    Returns:
        The runs' folders.

    Raises:
        SettingsError: there is no such fold.
    """
    dataset = open_dataset(place.data, video=settings.extract.video)
    games = tuple(sound_games(dataset, labeled_games(dataset, "train", "valid"), settings))
    if fold != "all":
        number, count = _parse(fold, games)
        return [_fit_without(games[number::count], games, settings, place, dataset)]
    if len(games) < 2:
        raise SettingsError(
            f"--fold all needs two labeled matches in train and valid; {place.data} has {len(games)}."
        )
    count = min(len(games), _MOST_FOLDS)
    folds = [games[number::count] for number in range(count)]
    runs = [_fit_without(held, games, settings, place, dataset) for held in folds]
    _score_held(runs, folds, settings, place, dataset)
    return runs


def _parse(fold: str, games: Sequence[Game]) -> tuple[int, int]:
    match = _FOLD.fullmatch(fold)
    number, count = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 0 <= number < count or not 2 <= count <= len(games):
        raise SettingsError(
            f"--fold {fold} is none; wanted is all, or K/N with N from 2 to {len(games)}, the number of labeled "
            "matches in train and valid, and K from 0 to N - 1, as 0/2."
        )
    return number, count


def _fit_without(
    held: Sequence[Game], games: Sequence[Game], settings: Pipeline, place: Place, dataset: Dataset
) -> Path:
    return fit_games(settings, place, dataset, learn=[game for game in games if game not in held], judge=held)


def _score_held(
    runs: Sequence[Path],
    folds: Sequence[Sequence[Game]],
    settings: Pipeline,
    place: Place,
    dataset: Dataset,
) -> None:
    """Write the out-of-fold predictions, and score them together."""
    out = place.runs / f"{settings.head.kind}-folds-{runs[0].name.rpartition('-')[2]}"
    games = [game for held in folds for game in held]
    caches = cached_rows(
        games,
        settings.extract,
        features=place.features,
        device=place.device,
        decoder=place.decoder,
        training=training_games(dataset, games, settings.extract),
    )
    scored: list[Game] = []
    for run, held in zip(runs, folds, strict=True):
        model = load_single(run, device=place.device)
        whole = with_rows(held, caches)
        write_predictions(model, whole, caches, peaks=settings.peaks, out=out)
        scored += whole
    evaluation = score(place.data, out, games=[game.id for game in scored])
    report.show(evaluation, split="the held-out folds")
    report.write_report(out / "report.json", evaluation)
    console.say(
        f"Out-of-fold scores of {len(games)} matches: {out}. To draw hard negatives: --set fit.out_of_fold={out}"
    )
