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
from bas.evaluate.soccernet import RESULTS_FILE, read_results
from bas.evaluate.submission import check_submission, write_submission
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


def check_zip(archive: Path, *, data: Path, split: str) -> None:
    """Check anyone's zip against the games of a split, and score it if they have labels.

    Raises:
        MissingError: the zip or the split is not there.
        DataError: a server would refuse the zip, or misread it.
    """
    dataset = open_dataset(data)
    games = dataset.split(split, need_videos=False)
    notes = check_submission(archive, games, dataset.classes)
    _tell(archive, games, dataset.classes, notes, split=split)


def _tell(
    archive: Path, games: Sequence[Game], classes: Sequence[str], notes: Sequence[str], *, split: str
) -> None:
    predictions = read_results(archive)
    num_predictions = sum(len(each) for each in predictions.values())
    for note in notes:
        console.say(f"note: {note}")
    if all(game.labels is not None for game in games):
        report.show(score_documents(labels_of_games(games), predictions, classes=classes), split=split)
    else:
        console.say("It has no score here: the labels of these matches are hidden.")
    console.show(
        f"{archive}: {len(games)} matches of {split}, {num_predictions:,} predictions, nothing wrong. "
        "It can be handed in as it is."
    )
