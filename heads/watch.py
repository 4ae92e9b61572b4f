"""What a model says as something to watch: clips of its detections or mistakes, and whole videos with its scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bas import console
from bas.dataset import open_dataset
from bas.errors import MissingError
from bas.evaluate.clips import cut_clips
from bas.evaluate.dense import SCORES_FILE, read_scores
from bas.evaluate.mistakes import Moment, mistakes, moments_of, worst_of
from bas.evaluate.render import Story, render
from bas.evaluate.run import labels_of_games
from bas.evaluate.soccernet import RESULTS_FILE, Prediction, read_results
from bas.extract.decode import Decoder
from bas.extract.timeline import Timeline, open_timeline
from bas.heads.apply import predict_video
from bas.heads.merged import Spotter, load_spotter
from bas.heads.predicted import predictions_of, up_to_date
from bas.types import Game, Scores, Spot, Video

_BESIDE = "Labels-ball.json", "Labels-v2.json"


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be watched: the matches of a split by a run, or one video by a model."""

    path: Path
    """Folder of a run, or a video."""
    model: Path | None
    """Folder of the model that reads the video."""
    split: str
    data: Path
    features: Path
    device: str
    decoder: Decoder = "auto"


@dataclass(frozen=True, slots=True)
class _Watched:
    """One video and what is said of it."""

    video: Video
    name: Path
    """Where it stands below the folder of all output."""
    scores: Scores
    predictions: tuple[Prediction, ...]
    spots: tuple[Spot, ...] | None
    timeline: Timeline


def make_clips(
    source: Source, *, out: Path | None, least: float, num_mistakes: int | None
) -> tuple[Path, ...]:
    """Cut every detection that is sure enough, or the worst mistakes of all videos; the paths.

    Args:
        source: what to cut.
        out: takes a folder a video; `clips/` in the run, or beside the other files of the video, by default.
        least: least confidence of a detection.
        num_mistakes: of how many mistakes; None cuts detections.

    Raises:
        MissingError, DataError: the model, a match or a video is not there, or wrong.
        MissingError: mistakes are wanted, and nobody labeled the video.
    """
    watched = list(_all(source))
    chosen: list[tuple[_Watched, list[Moment]]] = []
    if num_mistakes is None:
        chosen = [(one, [m for m in moments_of(one.predictions) if m.confidence >= least]) for one in watched]
    else:
        found = {id(one): mistakes(_spots(one), one.predictions, one.scores) for one in watched}
        worst = {id(m) for m in worst_of([m for each in found.values() for m in each], num_mistakes)}
        chosen = [(one, [m for m in found[id(one)] if id(m) in worst]) for one in watched]
    out = out or _home(source) / ("clips" if num_mistakes is None else "mistakes")
    paths = [
        path
        for one, moments in chosen
        for path in cut_clips(one.timeline.times, moments, out / one.name, origin_pts=one.timeline.origin_pts)
    ]
    console.say(f"{len(paths)} clips in {out}")
    return tuple(paths)


def make_renders(source: Source, *, out: Path | None, least: float) -> tuple[Path, ...]:
    """Burn scores, detections and labels into a copy of every video; the paths.

    Args:
        source: what to render.
        out: takes a file a video; `rendered/` in the run, or beside the other files of the video, by default.
        least: least confidence of a detection that is drawn.

    Raises:
        MissingError, DataError: the model, a match or a video is not there, or wrong.
    """
    out = out or _home(source) / "rendered"
    paths = []
    for one in _all(source):
        story = Story(one.scores, one.predictions, one.spots)
        path = out / f"{one.name}.mp4"
        render(one.timeline.times, story, path, origin_pts=one.timeline.origin_pts, least=least)
        console.say(f"{path}")
        paths.append(path)
    return tuple(paths)


def _all(source: Source) -> Iterator[_Watched]:
    if source.path.is_file():
        yield from _of_video(source)
        return
    predicted = predictions_of(
        source.path,
        data=source.data,
        features=source.features,
        split=source.split,
        device=source.device,
        decoder=source.decoder,
    )
    for game in predicted.games:
        yield from _of_game(game, predicted.folder / game.id, predicted.model)


def _of_video(source: Source) -> Iterator[_Watched]:
    if source.model is None:
        raise MissingError(f"{source.path} is a video: name the model that is to read it with --model RUN.")
    folder = _home(source)
    if not up_to_date([folder / RESULTS_FILE, folder / SCORES_FILE], model=source.model):
        predict_video(source.path, source.model, out=folder, device=source.device, decoder=source.decoder)
    (game,) = open_dataset(source.path).games
    if game.labels is None:
        beside = next((p for name in _BESIDE if (p := source.path.with_name(name)).is_file()), None)
        game = replace(game, labels=beside)
    yield from _of_game(game, folder, load_spotter(source.model, device=source.device))


def _of_game(game: Game, folder: Path, model: Spotter) -> Iterator[_Watched]:
    (predictions,) = read_results(folder / RESULTS_FILE).values()
    scores = read_scores(folder / SCORES_FILE)
    spots = labels_of_games([game])[game.id] if game.labels else None
    for video in game.videos:
        yield _Watched(
            video=video,
            name=Path(game.id) if len(game.videos) == 1 else Path(game.id) / video.path.stem,
            scores=scores[video.half],
            predictions=tuple(p for p in predictions if p.half == video.half),
            spots=None if spots is None else tuple(s for s in spots if s.half == video.half),
            timeline=open_timeline(video.path, model.settings.extract),
        )


def _spots(one: _Watched) -> tuple[Spot, ...]:
    if one.spots is None:
        raise MissingError(f"{one.video.path} has no labels, so nobody can tell what is a mistake.")
    return one.spots


def _home(source: Source) -> Path:
    return source.path.with_suffix(".spots") if source.path.is_file() else source.path
