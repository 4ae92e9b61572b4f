"""`bas submit`: build the submission zip of a run, or validate an existing one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bas import console
from bas.dataset import BALL_CLASSES, SOCCERNET_V2_CLASSES
from bas.evaluate.formats.soccernet import RESULTS_FILE, read_results
from bas.evaluate.predictions import labels_of_games
from bas.evaluate.report.terminal import print_evaluation
from bas.evaluate.scoring.score import score_documents
from bas.evaluate.submission.archive import write_submission
from bas.evaluate.submission.check import check_submission
from bas.evaluate.submission.expected_games import expected_games
from bas.heads.inference.predictor import load_predictor
from bas.messages import counted
from bas.types import Game, Prediction
from bas.workspace import Workspace


def submit_run(
    run: Path,
    workspace: Workspace,
    *,
    split: str,
    out: Path | None = None,
    flip: bool = False,
) -> Path:
    """Predict a split if needed, build and validate its zip, and score it if the split has labels.

    Args:
        run: folder of a finished run or a model.
        workspace: the matches, their feature caches, device and decoder.
        split: name of the split to submit.
        out: path of the zip; by default `submission-<split>.zip` in the run, or `submission-<split>-flip.zip`.
        flip: average the scores over the pictures and their mirror images.

    Returns:
        The path of the zip.

    Raises:
        MissingError, DataError: as `Predictor.predict_split`; or the zip is invalid, and no file is left.
    """
    predictor = load_predictor(run, workspace, flip=flip)
    predicted, folder = predictor.predict_split(split)
    documents = {game.id: (folder / game.id / RESULTS_FILE).read_bytes() for game in predicted}
    games, classes = predictor.dataset.split(split, need_videos=False), predictor.actions
    out = out or run / f"submission-{split}{'-flip' * flip}.zip"
    teams = classes != predictor.model.classes or None
    notes = write_submission(out, documents, games, classes, teams=teams)
    _print_summary(out, games, classes, notes, split=split)
    return out


def check_zip(archive: Path, *, data: Path, split: str | None = None) -> None:
    """Validate an existing zip against a split, and score it if the split has labels.

    Without `split`, it is the split whose games the zip holds.

    Raises:
        MissingError: the zip or the split does not exist.
        DataError: a server would refuse the zip.
    """
    expected = expected_games(archive, data, split=split)
    notes = check_submission(archive, expected.games, expected.classes)
    _print_summary(archive, expected.games, expected.classes, (*expected.notes, *notes), split=expected.split)


def _print_summary(
    archive: Path, games: Sequence[Game], classes: Sequence[str], notes: Sequence[str], *, split: str | None
) -> None:
    predictions = read_results(archive)
    scored = all(game.labels is not None for game in games)
    if scored:
        evaluation = score_documents(labels_of_games(games), predictions, classes=classes)
        print_evaluation(evaluation, split=split)
    printed = evaluation.notes if scored else ()
    for note in notes:
        if note not in printed:  # print_evaluation has printed these
            console.info(f"note: {note}")
    if not scored:
        console.info(
            "Not scored: these matches have no labels here. The labels of the challenge split are hidden."
        )
    each = [prediction for of_game in predictions.values() for prediction in of_game]
    of_split = f" of {split}" if split else ""
    noted = f"; {counted(len(notes), 'note')} above" if notes else ""
    console.show(
        f"{archive}: {counted(len(games), 'match')}{of_split}, {counted(len(each), 'prediction')}, no errors"
        f"{noted}. {_acceptance(each, classes, split=split)}"
    )


def _acceptance(predictions: Sequence[Prediction], classes: Sequence[str], *, split: str | None) -> str:
    """One sentence on where the zip can be submitted."""
    if split is None:
        return "To learn whether it can be submitted, name its split: --split SPLIT."
    if not predictions:
        return "A server accepts it, with a score of 0."
    if classes == SOCCERNET_V2_CLASSES:
        return "Ready to submit to SoccerNet-v2's action spotting challenge."
    if not set(classes) <= set(BALL_CLASSES):
        return "No challenge is known for these classes."
    if all(prediction.team is None for prediction in predictions):
        return "Ready to submit to the 2023 and 2024 challenges; the 2025 challenge requires teams."
    return "Ready to submit."
