"""A finished model at work: on the matches of a split, to be scored, or on any one video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bas import console
from bas.clock import game_time, position_of
from bas.dataset import Dataset, open_dataset
from bas.errors import DataError, MissingError
from bas.evaluate.exports import write_osl
from bas.evaluate.osl import PredictedGame
from bas.evaluate.peaks import actions_of, detections
from bas.evaluate.predict import slide
from bas.evaluate.run import evaluate_model, labels_of_games, write_game
from bas.evaluate.score import Evaluation
from bas.evaluate.tolerance import parse_tolerance, tolerance_name
from bas.extract.cache import FeatureCache
from bas.extract.decode import Decoder
from bas.extract.run import cached_rows
from bas.heads.material import with_rows
from bas.heads.models import load_model
from bas.heads.stacker import Stacker
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
) -> Evaluation:
    """Write the predictions of a run's model for a split, score the files as the challenge does, and print.

    Args:
        run: folder of a finished run, or of a model.
        out: takes `<game>/results_spotting.json` and the dense scores; `predictions/<split>` in the run by default.
        json: takes the report; by default `report.json` beside the predictions, with another tolerance
            `report-2.json` and so on.

    Raises:
        MissingError, DataError: the model, a match, its labels or a video is not there, or wrong.
    """
    seconds = parse_tolerance(tolerance)
    model = load_stacker(run, device=device)
    dataset = open_dataset(data, video=model.settings.extract.video)
    games = dataset.split(split)
    require_classes(model, dataset, run=run)
    labels_of_games(games)  # a split without labels is refused before hours of extraction
    console.say(f"{run} on {len(games)} {split} matches of {data}; rows in {features}, on {device}.")
    caches = model_rows(model, games, features=features, decoder=decoder)
    out = out or run / "predictions" / split
    name = "report" if seconds == (1.0,) else f"report-{tolerance_name(seconds).replace(',', '-')}"
    return evaluate_model(
        model,
        with_rows(games, caches),
        caches,
        peaks=model.settings.peaks,
        out=out,
        tolerance=tolerance,
        split=split,
        json=json or out / f"{name}.json",
        html=out / f"{name}.html",
        title=f"{run.name} on {split}",
        training=history_of(run),
    )


def predict(
    video: str | Path, model: Stacker, *, features: str | Path = "features", decoder: Decoder = "auto"
) -> list[Detection]:
    """The actions of one video, in time.

    Args:
        video: any video of a match; no dataset is needed.
        model: from `load_model`.
        features: folder that keeps the rows of the video, so that a second call is quick.
        decoder: auto takes NVDEC where it works.

    Raises:
        MissingError, DataError: the video is not there, or damaged.
    """
    _require_file(Path(video))
    _, scores = _score_video(Path(video), model, features=Path(features), decoder=decoder)
    return detections(scores, model.settings.peaks)


def predict_video(video: Path, folder: Path, *, out: Path | None, device: str, decoder: Decoder) -> None:
    """Spot the actions of one video with the model in `folder`; print a table, write all files.

    Args:
        out: takes the files, and the rows of the video; a folder beside the video by default.
    """
    _require_file(video)
    out = out or video.with_suffix(".spots")
    model = load_stacker(folder, device=device)
    game, scores = _score_video(video, model, features=out / "features", decoder=decoder)
    halves = write_game(out, game, {1: scores}, actions=actions_of(model.classes), peaks=model.settings.peaks)
    write_osl(out, [PredictedGame(game, halves, scores.fps)], classes=actions_of(model.classes))
    _show(halves[1], model, out=out)


def load_stacker(folder: Path, *, device: str) -> Stacker:
    """The model in a folder, one that reads videos.

    Raises:
        MissingError: the folder holds no model.
        DataError: it is damaged, or has no encoder.
    """
    model = load_model(folder, device=device)
    if not isinstance(model, Stacker):
        raise DataError(
            f"The model in {folder} has no encoder: it reads vectors of another network, not videos. Start a head "
            f"from it (--set fit.start_from={folder}), or use it from Python: bas.load_model."
        )
    return model


def require_classes(model: Stacker, dataset: Dataset, *, run: Path) -> None:
    """Refuse matches that are labeled in other classes than the model tells.

    Raises:
        DataError: with both vocabularies.
    """
    if set(actions_of(model.classes)) != set(dataset.classes):
        raise DataError(
            f"The model in {run} tells {', '.join(actions_of(model.classes))}; the labels of {dataset.root} are "
            f"{', '.join(dataset.classes)}. Give a model of these classes, or the matches it was made for."
        )


def _require_file(video: Path) -> None:
    if not video.is_file():
        found = "a folder" if video.is_dir() else "not there"
        raise MissingError(f"{video} is {found}. Give one video file; for the matches of a split: bas eval.")


def _score_video(video: Path, model: Stacker, *, features: Path, decoder: Decoder) -> tuple[Game, Scores]:
    (game,) = open_dataset(video).games
    caches = model_rows(model, [game], features=features, decoder=decoder)
    with_rows([game], caches)
    return game, slide(model, caches[video])


def model_rows(
    model: Stacker, games: Sequence[Game], *, features: Path, decoder: Decoder
) -> dict[Path, FeatureCache]:
    """The rows that a model reads, by its own encoder; extracted first where they lack."""
    assert model.folder is not None, "a model that was never saved has no encoder to extract with"
    settings = model.settings.extract.model_copy(update={"weights": str(model.folder)})
    return cached_rows(games, settings, features=features, device=str(model.device), decoder=decoder)


def _show(events: Sequence[Detection], model: Stacker, *, out: Path) -> None:
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
