"""A finished model at work: on the matches of a split, to be scored, or on any one video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bas import console
from bas.clock import game_time, position_of
from bas.dataset import open_dataset, probe
from bas.errors import MissingError
from bas.evaluate.exports import write_osl
from bas.evaluate.osl import PredictedGame
from bas.evaluate.peaks import actions_of, detections
from bas.evaluate.predict import slide
from bas.evaluate.run import evaluate_model, labels_of_games, write_game
from bas.evaluate.score import Evaluation
from bas.evaluate.tolerance import parse_tolerance, tolerance_name
from bas.extract.decode import Decoder
from bas.heads.made import forget, maker_of
from bas.heads.material import with_rows
from bas.heads.merged import Spotter, load_spotter
from bas.heads.spot import model_rows, predictions_folder, require_classes, spots_folder, warn_of_learned
from bas.heads.tuning import show_untuned
from bas.runs import history_of
from bas.types import Detection, Game, Scores

_SHOWN = 20  # events that the terminal table holds


def evaluate_run(
    run: Path,
    *,
    data: Path,
    features: Path,
    split: str,
    device: str,
    tolerance: str = "1",
    out: Path | None = None,
    json: Path | None = None,
    decoder: Decoder = "auto",
    flip: bool = False,
) -> Evaluation:
    """Write the predictions of a run's model for a split, score the files as the challenge does, and print.

    Args:
        run: folder of a finished run, or of a model.
        out: takes `<game>/results_spotting.json` and the dense scores; `predictions/<split>` in the run by default,
            with flip `predictions/<split>-flip`.
        json: takes the report; by default `report.json` beside the predictions, with another tolerance
            `report-2.json` and so on.
        flip: average the scores of the pictures and of their mirror images.

    Raises:
        MissingError, DataError: the model, a match, its labels or a video is not there, or wrong.
    """
    seconds = parse_tolerance(tolerance)
    model = load_spotter(run, device=device)
    dataset = open_dataset(data, video=model.settings.extract.video)
    games = dataset.split(split)
    require_classes(model, dataset, run=run)
    warn_of_learned(run, games)
    labels_of_games(games)  # a split without labels is refused before hours of extraction
    console.say(f"{run} on {len(games)} {split} matches of {data}; rows in {features}, on {device}.")
    caches = model_rows(model, games, features=features, decoder=decoder, flip=flip)
    games = with_rows(games, caches)
    out = out or predictions_folder(run, split, flip=flip)
    maker = maker_of(model, flip=flip)
    for game in games:
        forget(out / game.id)
    name = "report" if seconds == (1.0,) else f"report-{tolerance_name(seconds).replace(',', '-')}"
    evaluation = evaluate_model(
        model,
        games,
        caches,
        peaks=model.settings.peaks,
        out=out,
        tolerance=tolerance,
        split=split,
        json=json or out / f"{name}.json",
        html=out / f"{name}.html",
        title=f"{run.name} on {split}",
        training=history_of(run),
        time_origin=model.settings.extract.time_origin,
    )
    for game in games:
        maker.record(out / game.id, game)
    show_untuned(model, evaluation, games, out=out)
    return evaluation


def predict(
    video: str | Path,
    model: Spotter,
    *,
    features: str | Path = "features",
    decoder: Decoder = "auto",
    flip: bool = False,
) -> list[Detection]:
    """The actions of one video, in time.

    Args:
        video: any video of a match; no dataset is needed.
        model: from `load_model`.
        features: folder that keeps the rows of the video, so that a second call is quick.
        decoder: auto takes NVDEC where it works.
        flip: average the scores of the pictures and of their mirror images.

    Raises:
        MissingError, DataError: the video is not there, or damaged.
    """
    _require_file(Path(video))
    _, scores = _score_video(Path(video), model, features=Path(features), decoder=decoder, flip=flip)
    return detections(scores, model.settings.peaks)


def predict_video(
    video: Path, folder: Path, *, out: Path | None, device: str, decoder: Decoder, flip: bool = False
) -> None:
    """Spot the actions of one video with the model in `folder`; print a table, write all files.

    Args:
        out: takes the files, and the rows of the video; a folder beside the video by default.
    """
    _require_file(video)
    out = out or spots_folder(video)
    model = load_spotter(folder, device=device)
    maker = maker_of(model, flip=flip)
    forget(out)
    game, scores = _score_video(video, model, features=out / "features", decoder=decoder, flip=flip)
    halves = write_game(out, game, {1: scores}, actions=actions_of(model.classes), peaks=model.settings.peaks)
    write_osl(out, [PredictedGame(game, halves, scores.fps)], classes=actions_of(model.classes))
    maker.record(out, game)
    _show(halves[1], model, out=out)


def _require_file(video: Path) -> None:
    if not video.is_file():
        found = "a folder" if video.is_dir() else "not there"
        raise MissingError(f"{video} is {found}. Give one video file; for the matches of a split: bas eval.")


def _score_video(
    video: Path, model: Spotter, *, features: Path, decoder: Decoder, flip: bool
) -> tuple[Game, Scores]:
    probe(video)  # what is no video is refused before anything is written beside it
    (game,) = open_dataset(video).games
    caches = model_rows(model, [game], features=features, decoder=decoder, flip=flip, degrade=True)
    with_rows([game], caches)
    return game, slide(model, caches[video])


def _show(events: Sequence[Detection], model: Spotter, *, out: Path) -> None:
    """The surest events in the order of time."""
    surest = sorted(events, key=lambda event: -event.score)[:_SHOWN]
    table = console.table(
        f"{len(events)} events, the {len(surest)} surest", "time", "action", "team", "confidence", left=3
    )
    for event in sorted(surest, key=lambda event: event.frame):
        position_ms = position_of(event.frame, model.settings.extract.clock_rate)
        time = f"{game_time(1, position_ms).removeprefix('1 - ')}.{position_ms % 1000 // 100}"
        table.add_row(time, event.label, event.team or "", f"{event.score:.2f}")
    console.show(table)
    console.say(f"All of them in {out}: results_spotting.json, events.csv, osl.json, subtitles (.srt)")
