"""`bas submit`: the predictions of a run as the zip that the challenge servers take."""

from __future__ import annotations

from pathlib import Path

from bas import console
from bas.dataset import open_dataset
from bas.errors import MissingError
from bas.evaluate import report
from bas.evaluate.peaks import actions_of
from bas.evaluate.run import labels_of_games, write_predictions
from bas.evaluate.score import score_documents
from bas.evaluate.soccernet import RESULTS_FILE, predictions_of
from bas.evaluate.submission import Wanted, names_teams, require_sound, write_submission
from bas.extract.decode import Decoder
from bas.files import read_json
from bas.heads.apply import load_stacker, model_rows, require_classes
from bas.heads.material import with_rows
from bas.types import Game


def submit(
    run: Path, *, data: Path, features: Path, split: str, out: Path | None, device: str, decoder: Decoder
) -> Path:
    """Predict a split, pack the zip, check all of it, and score it where there are labels.

    Args:
        run: folder of a finished run or a model.
        data: the matches; those of the challenge have no labels.
        features: folder of all caches; rows that are missing are extracted first.
        split: whose matches; every one of them has to be there.
        out: the zip; `results_spotting-<split>.zip` in the run by default.
        device: that the head computes on.
        decoder: of rows that are missing.

    Returns:
        The zip.

    Raises:
        DataError: the zip would be a bad one; it is not written.
        MissingError: the model, a match or a video is not there.
    """
    model = load_stacker(run, device=device)
    dataset = open_dataset(data, video=model.settings.extract.video)
    games = dataset.split(split)
    require_classes(model, dataset, run=run)
    caches = model_rows(model, games, features=features, decoder=decoder)
    with_rows(games, caches)
    folder = run / "predictions" / split
    write_predictions(model, games, caches, peaks=model.settings.peaks, out=folder)
    documents = {game.id: read_json(folder / game.id / RESULTS_FILE) for game in games}
    wanted = wanted_of(games, classes=actions_of(model.classes), teams=model.settings.fit.teams != "none")
    out = out or run / f"results_spotting-{split}.zip"
    write_submission(out, documents, wanted)
    console.say(
        f"{len(games)} matches, {sum(len(d['predictions']) for d in documents.values()):,} predictions: {out}"
    )
    labeled = tuple(game for game in games if game.labels is not None)
    if len(labeled) == len(games):
        predictions = {game: predictions_of(document, source=game) for game, document in documents.items()}
        report.show(
            score_documents(labels_of_games(labeled), predictions, classes=tuple(wanted.classes)), split=split
        )
    return out


def check(path: Path, *, data: Path, split: str) -> None:
    """Check anybody's zip against the matches of a split; teams are required where any entry names one.

    Raises:
        MissingError: there is no such file.
        DataError: with every fault.
    """
    if not path.is_file():
        raise MissingError(f"{path} is not there. Give the zip of a submission.")
    dataset = open_dataset(data)
    games = dataset.split(split, need_videos=False)
    content = path.read_bytes()
    wanted = wanted_of(games, classes=dataset.classes, teams=names_teams(content))
    require_sound(content, wanted, source=str(path))
    console.say(f"{path} is sound: the {len(games)} matches of {split}.")


def wanted_of(games: tuple[Game, ...], *, classes: tuple[str, ...], teams: bool) -> Wanted:
    """What a submission of some games has to hold."""
    return Wanted({game.id: [video.half for video in game.videos] for game in games}, classes, teams)
