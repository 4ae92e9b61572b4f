"""`bas tune`: the post-processing of a finished run, chosen on the validation matches and kept with the model."""

from __future__ import annotations

from pathlib import Path

from bas import console
from bas.dataset import open_dataset
from bas.evaluate.predict import slide
from bas.evaluate.run import labels_of_games
from bas.evaluate.search import Tuned, search
from bas.extract.decode import Decoder
from bas.heads.apply import load_stacker, model_rows
from bas.heads.material import with_rows
from bas.heads.models import keep_peaks

_SPLIT = "valid"


def tune(run: Path, *, data: Path, features: Path, device: str, decoder: Decoder) -> Tuned:
    """Search post-processing on the validation matches, keep it with the model, and print what it gains.

    Args:
        run: folder of a finished run or a model; its config.json and card are written anew.
        data: the matches.
        features: folder of all caches; rows that are missing are extracted first.
        device: that the head computes on.
        decoder: of rows that are missing.

    Raises:
        MissingError, DataError: the model, a match, its labels or a video is not there, or wrong.
    """
    model = load_stacker(run, device=device)
    games = open_dataset(data, video=model.settings.extract.video).split(_SPLIT)
    labels = labels_of_games(games)
    caches = model_rows(model, games, features=features, decoder=decoder)
    games = with_rows(games, caches)
    scores = {
        game.id: {video.half: slide(model, caches[video.path]) for video in game.videos} for game in games
    }
    tuned = search({game.id: labels[game.id] for game in games}, scores, start=model.settings.peaks)
    keep_peaks(run, tuned.settings, gained=tuned.calibrated - tuned.before)
    _tell(tuned, num_games=len(games), run=run)
    return tuned


def _tell(tuned: Tuned, *, num_games: int, run: Path) -> None:
    rows = console.table(f"Post-processing on {num_games} validation matches", "", "mAP@1", "gain")
    settings = tuned.settings
    steps = (
        ("before", tuned.before),
        (f"{settings.method}, sigma {settings.sigma:g}, distance {settings.distance}", tuned.shared),
        ("with classes of their own", tuned.own),
        ("with calibrated confidences", tuned.calibrated),
    )
    for name, value in steps:
        gain = "" if value is tuned.before else f"{100 * (value - tuned.before):+.2f}"
        rows.add_row(name, f"{100 * value:.2f}", gain)
    console.show(rows)
    own = [label for label, one in settings.per_class.items()]
    if own:
        console.say(f"Classes with values or confidences of their own: {', '.join(own)}.")
    console.say(f"Kept in {run}. Next: bas eval --run {run}")
