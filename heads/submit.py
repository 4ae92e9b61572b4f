"""`bas submit`: from a run to a zip that the challenge takes, and anyone's zip looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bas import console
from bas.dataset import open_dataset
from bas.evaluate import report
from bas.evaluate.peaks import actions_of
from bas.evaluate.run import labels_of_games
from bas.evaluate.score import score_documents
from bas.evaluate.soccernet import RESULTS_FILE, Prediction, read_results
from bas.evaluate.submission import check_submission, write_submission
from bas.evaluate.submission_games import expected_games
from bas.extract.decode import Decoder
from bas.heads.predicted import predictions_of
from bas.types import Game


def submit_run(
    run: Path,
    *,
    data: Path,
    features: Path,
    split: str,
    device: str,
    out: Path | None = None,
    decoder: Decoder = "auto",
    flip: bool = False,
) -> Path:
    """Predict a split if needed, pack and check the zip, score it if the split has labels; the path of the zip.

    Args:
        run: folder of a finished run, or of a model.
        out: the zip; `submission-<split>.zip` in the run by default, with flip `submission-<split>-flip.zip`.
        flip: average the scores of the pictures and of their mirror images.

    Raises:
        MissingError, DataError: as `predictions_of`; or a server would refuse the zip, and none is left.
    """
    predicted = predictions_of(
        run, data=data, features=features, split=split, device=device, decoder=decoder, flip=flip
    )
    classes = actions_of(predicted.model.classes)
    games = open_dataset(data, video=predicted.model.settings.extract.video).split(split, need_videos=False)
    documents = {
        game.id: (predicted.folder / game.id / RESULTS_FILE).read_bytes() for game in predicted.games
    }
    out = out or run / f"submission-{split}{'-flip' * flip}.zip"
    teams = classes != predicted.model.classes or None
    notes = write_submission(out, documents, games, classes, teams=teams)
    _tell(out, games, classes, notes, split=split)
    return out


def check_zip(archive: Path, *, data: Path, split: str | None = None) -> None:
    """Check anyone's zip against the games of a split, by default of that which it names, and score it if they have labels.

    Raises:
        MissingError: the zip or the split is not there.
        DataError: a server would refuse the zip, or misread it.
    """
    expected = expected_games(archive, data, split=split)
    notes = check_submission(archive, expected.games, expected.classes)
    _tell(archive, expected.games, expected.classes, (*expected.notes, *notes), split=expected.split)


def _tell(
    archive: Path, games: Sequence[Game], classes: Sequence[str], notes: Sequence[str], *, split: str | None
) -> None:
    predictions = read_results(archive)
    scored = all(game.labels is not None for game in games)
    if scored:
        evaluation = score_documents(labels_of_games(games), predictions, classes=classes)
        report.show(evaluation, split=split)
    told = evaluation.notes if scored else ()
    for note in notes:
        if note not in told:
            console.say(f"note: {note}")
    if not scored:
        console.say(
            "It has no score here: there are no labels of these matches; those of the challenge are hidden."
        )
    each = [prediction for of_game in predictions.values() for prediction in of_game]
    of_split = f" of {split}" if split else ""
    noted = f"; {len(notes)} note{'s' * (len(notes) > 1)} above" if notes else ""
    console.show(
        f"{archive}: {len(games)} match{'es' * (len(games) != 1)}{of_split}, {len(each):,} predictions, nothing wrong"
        f"{noted}. {_where(each, split=split)}"
    )


def _where(predictions: Sequence[Prediction], *, split: str | None) -> str:
    """To whom it can be handed in."""
    if split is None:
        return "Name the split that it is for, to know whether it can be handed in: --split SPLIT."
    if not predictions:
        return "A server takes it, and scores 0."
    if all(prediction.team is None for prediction in predictions):
        return (
            "It can be handed in to the challenges of 2023 and 2024, not to that of 2025, which wants teams."
        )
    return "It can be handed in as it is."
