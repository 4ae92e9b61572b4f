"""`bas eval` and `bas predict`: score a model on a split, or spot the actions in one video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bas import console
from bas.clock import game_time, position_of
from bas.commands.training.tune import show_tuning_gain
from bas.config.base import Decoder
from bas.dataset import open_dataset, probe
from bas.errors import MissingError
from bas.evaluate.formats.exports import write_osl
from bas.evaluate.formats.osl import PredictedGame
from bas.evaluate.metric.tolerance import parse_tolerance, tolerance_name
from bas.evaluate.postprocess.events import detect
from bas.evaluate.predictions import evaluate_model, labels_of_games, write_game
from bas.evaluate.scores import score_video
from bas.evaluate.scoring.score import Evaluation
from bas.extract.extract import games_with_features
from bas.heads.inference.ensemble import VideoModel, load_video_model
from bas.heads.inference.leakage import require_classes, warn_of_leakage
from bas.heads.inference.predictor import features_for, predictions_folder, sidecar_folder
from bas.heads.inference.provenance import invalidate, provenance_of
from bas.runs import history_of
from bas.types import Detection, Game, Scores
from bas.vocabulary import actions_of

_SHOWN = 20  # rows of the terminal table


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
    """Write a run's predictions for a split, score them as the challenge does, and print the result.

    Args:
        run: folder of a finished run or a model.
        out: folder for `<game>/results_spotting.json` and dense scores; by default `predictions/<split>` in the run,
            with flip `predictions/<split>-flip`.
        json: file for the report; by default `report.json` beside the predictions, or `report-2.json` and so on
            for other tolerances.
        flip: average the scores of the original and the mirrored view.

    Raises:
        MissingError, DataError: the model, a match, its labels or a video is missing or invalid.
    """
    seconds = parse_tolerance(tolerance)
    model = load_video_model(run, device=device)
    dataset = open_dataset(data, video=model.settings.extract.video)
    games = dataset.split(split)
    require_classes(model, dataset, run=run)
    warn_of_leakage(run, games)
    labels_of_games(games)  # a split without labels is refused before hours of extraction
    console.info(
        f"Evaluating {run} on {len(games)} {split} matches in {data}; features in {features}; device {device}."
    )
    caches = features_for(model, games, features=features, decoder=decoder, flip=flip)
    games = games_with_features(games, caches)
    out = out or predictions_folder(run, split, flip=flip)
    maker = provenance_of(model, flip=flip)
    for game in games:
        invalidate(out / game.id)
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
    show_tuning_gain(model, evaluation, games, out=out)
    return evaluation


def predict(
    video: str | Path,
    model: VideoModel,
    *,
    features: str | Path = "features",
    decoder: Decoder = "auto",
    flip: bool = False,
) -> list[Detection]:
    """Detect the actions in one video, in order of time.

    Args:
        video: any video of a match; no dataset is needed.
        model: from `load_model`.
        features: folder in which the features of the video are cached, so that a second call is fast.
        decoder: video decoder; auto takes NVDEC if it works.
        flip: average the scores of the original and the mirrored view.

    Raises:
        MissingError, DataError: the video is missing or damaged.
    """
    _require_file(Path(video))
    _, scores = _score_video(Path(video), model, features=Path(features), decoder=decoder, flip=flip)
    return detect(scores, model.settings.peaks)


def predict_video(
    video: Path, folder: Path, *, out: Path | None, device: str, decoder: Decoder, flip: bool = False
) -> None:
    """Spot the actions in one video with the model in `folder`; print a table and write all files.

    Args:
        out: folder for the files and the cached features; by default the sidecar folder of the video.
    """
    _require_file(video)
    out = out or sidecar_folder(video)
    model = load_video_model(folder, device=device)
    maker = provenance_of(model, flip=flip)
    invalidate(out)
    game, scores = _score_video(video, model, features=out / "features", decoder=decoder, flip=flip)
    halves = write_game(out, game, {1: scores}, actions=actions_of(model.classes), peaks=model.settings.peaks)
    write_osl(out, [PredictedGame(game, halves, scores.fps)], classes=actions_of(model.classes))
    maker.record(out, game)
    _show(halves[1], model, out=out)


def _require_file(video: Path) -> None:
    if not video.is_file():
        problem = f"{video} is a folder" if video.is_dir() else f"Video {video} not found"
        raise MissingError(f"{problem}. Name one video file, or use bas eval for the matches of a split.")


def _score_video(
    video: Path, model: VideoModel, *, features: Path, decoder: Decoder, flip: bool
) -> tuple[Game, Scores]:
    probe(video)  # what is no video is refused before anything is written beside it
    (game,) = open_dataset(video).games
    caches = features_for(model, [game], features=features, decoder=decoder, flip=flip, degrade=True)
    games_with_features([game], caches)
    return game, score_video(model, caches[video])


def _show(events: Sequence[Detection], model: VideoModel, *, out: Path) -> None:
    """Print the detections of highest confidence, in order of time."""
    shown = sorted(events, key=lambda event: -event.score)[:_SHOWN]
    table = console.table(
        f"{len(events)} detections, the {len(shown)} of highest confidence",
        "time",
        "action",
        "team",
        "confidence",
        left=3,
    )
    for event in sorted(shown, key=lambda event: event.frame):
        position_ms = position_of(event.frame, model.settings.extract.clock_rate)
        time = f"{game_time(1, position_ms).removeprefix('1 - ')}.{position_ms % 1000 // 100}"
        table.add_row(time, event.label, event.team or "", f"{event.score:.2f}")
    console.show(table)
    console.info(
        f"All detections are in {out}: results_spotting.json, events.csv, osl.json, subtitles (.srt)"
    )
