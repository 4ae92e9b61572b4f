"""`bas fit-head --fold`: cross-validation over matches, with out-of-fold scores of each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from bas import console
from bas.commands.training.fit_head import fit_games, labeled_games
from bas.config import Pipeline
from bas.dataset import Dataset, open_dataset
from bas.errors import SettingsError
from bas.evaluate.formats.exports import write_osl
from bas.evaluate.formats.osl import PredictedGame
from bas.evaluate.report.terminal import print_evaluation, write_report
from bas.evaluate.scoring.score import score
from bas.heads.inference.predictor import load_predictor
from bas.heads.training.annotated_games import readable_games
from bas.types import Game
from bas.workspace import Workspace

_MAX_FOLDS = 7  # of `--fold all`; up to seven matches, one match per fold, as in the winning run of 2023
_FOLD = re.compile(r"([0-9]+)/([0-9]+)")


def fit_folds(settings: Pipeline, workspace: Workspace, *, fold: str) -> list[Path]:
    """Train on train and valid without the matches of one fold, or without each fold in turn.

    After `all`, `<runs>/<kind>-folds-<hash of the first run>` holds the scores of every match by the head that was
    not trained on it; `fit.out_of_fold` accepts this folder.

    Args:
        settings: settings of the whole pipeline.
        workspace: folders of data, feature caches and runs; device and decoder.
        fold: `k/n`, with k counted from 0, or `all`.

    Returns:
        The runs' folders.

    Raises:
        SettingsError: the fold is invalid, or there are too few labeled matches.
    """
    one = None if fold == "all" else _parse_fold(fold)
    dataset = open_dataset(workspace.data, video=settings.extract.video)
    games = tuple(readable_games(labeled_games(dataset, "train", "valid"), settings.extract))

    def fit_without(held_out: Sequence[Game]) -> Path:
        train_games = [game for game in games if game not in held_out]
        return fit_games(settings, workspace, dataset, train_games=train_games, valid_games=held_out)

    if one is not None:
        number, count = one
        if count > len(games):
            raise SettingsError(
                f"Invalid --fold {fold}. Use `all`, or K/N with 0 <= K < N and 2 <= N <= {len(games)} "
                "(the number of labeled matches in train and valid)."
            )
        return [fit_without(games[number::count])]
    if len(games) < 2:
        raise SettingsError(
            f"--fold all needs at least two labeled matches in train and valid, and {workspace.data} has {len(games)}. "
            "Check the folder with bas doctor."
        )
    count = min(len(games), _MAX_FOLDS)
    folds = [games[number::count] for number in range(count)]
    runs = [fit_without(held_out) for held_out in folds]
    _score_held_out(runs, folds, settings, workspace, dataset)
    return runs


def _parse_fold(fold: str) -> tuple[int, int]:
    match = _FOLD.fullmatch(fold)
    number, count = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 0 <= number < count or count < 2:
        raise SettingsError(f"Invalid --fold {fold}. Use `all`, or K/N with 0 <= K < N and N >= 2.")
    return number, count


def _score_held_out(
    runs: Sequence[Path],
    folds: Sequence[Sequence[Game]],
    settings: Pipeline,
    workspace: Workspace,
    dataset: Dataset,
) -> None:
    """Write the out-of-fold predictions and score them together."""
    out = workspace.runs / f"{settings.head.kind}-folds-{runs[0].name.rpartition('-')[2]}"
    predicted: list[PredictedGame] = []
    for run, held_out in zip(runs, folds, strict=True):
        # Tuning saw the held-out matches, so their out-of-fold predictions do without it.
        predictor = load_predictor(run, workspace, postprocess=settings.peaks)
        predicted += predictor.write_games(held_out, out)
    write_osl(out, predicted, classes=dataset.classes)
    evaluation = score(workspace.data, out, games=[one.game.id for one in predicted])
    print_evaluation(evaluation, split="the held-out folds")
    write_report(out / "report.json", evaluation, split="the held-out folds")
    console.info(
        f"Out-of-fold scores of {len(predicted)} matches: {out}. To sample hard negatives: --set fit.out_of_fold={out}"
    )
