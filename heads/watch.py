"""What a model says as something to watch: clips of its detections or mistakes, and whole videos with its scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bas import console
from bas.dataset import open_dataset
from bas.errors import MissingError
from bas.evaluate.clips import Moment, cut_clips
from bas.evaluate.dense import SCORES_FILE, read_scores
from bas.evaluate.mistakes import seen, worst
from bas.evaluate.outcomes import Outcome, outcomes
from bas.evaluate.peaks import actions_of
from bas.evaluate.render import Story, render
from bas.evaluate.run import labels_of_games
from bas.evaluate.score import FRAMERATE
from bas.evaluate.soccernet import LABEL_FILES, RESULTS_FILE, Prediction, read_results
from bas.evaluate.tolerance import reach_frames
from bas.extract.decode import Decoder
from bas.extract.timeline import Timeline, open_timeline
from bas.heads.apply import predict_video
from bas.heads.made import maker_of
from bas.heads.merged import Spotter, load_spotter
from bas.heads.predicted import predictions_of
from bas.heads.spot import spots_folder
from bas.types import Game, Scores, Spot, Video

_WINDOW_S = 1.0  # in which a claim agrees with a label


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
    """One video and what became of its actions and claims."""

    game: str
    video: Video
    name: Path
    """Where it stands below the folder of all output."""
    scores: Scores
    outcomes: tuple[Outcome, ...]
    labeled: bool
    timeline: Timeline


def make_clips(
    source: Source, *, out: Path | None, least: float | None, num_mistakes: int | None
) -> tuple[Path, ...]:
    """Cut every detection that is sure enough, or the worst mistakes of all videos; the paths.

    Args:
        source: what to cut.
        out: takes a folder a video; `clips/` in the run, or beside the other files of the video, by default.
        least: least confidence of a detection; None takes the model's own of each action.
        num_mistakes: of how many mistakes; None cuts detections.

    Raises:
        MissingError, DataError: the model, a match or a video is not there, or wrong.
        MissingError: mistakes are wanted, and nobody labeled the video.
    """
    watched = list(_all(source, least))
    if num_mistakes is None:
        chosen = [(one, [_claimed(found.claim) for found in one.outcomes if found.claim]) for one in watched]
    else:
        chosen = _mistakes(watched, num_mistakes)
    ours = out is None
    out = out or _home(source) / ("clips" if num_mistakes is None else "mistakes")
    paths = [
        path
        for one, moments in chosen
        for path in cut_clips(
            one.timeline.times, moments, out / one.name, origin_pts=one.timeline.origin_pts, ours=ours
        )
    ]
    console.say(f"{len(paths)} clips in {out}")
    return tuple(paths)


def make_renders(source: Source, *, out: Path | None, least: float | None) -> tuple[Path, ...]:
    """Burn scores, detections and labels into a copy of every video; the paths.

    Args:
        source: what to render.
        out: takes a file a video; `rendered/` in the run, or beside the other files of the video, by default.
        least: least confidence of a detection that is drawn; None takes the model's own of each action.

    Raises:
        MissingError, DataError: the model, a match or a video is not there, or wrong.
    """
    out = out or _home(source) / "rendered"
    paths = []
    for one in _all(source, least):
        path = out / f"{one.name}.mp4"
        story = Story(one.scores, one.outcomes, one.labeled)
        render(one.timeline.times, story, path, origin_pts=one.timeline.origin_pts)
        console.say(f"{path}")
        paths.append(path)
    return tuple(paths)


def _mistakes(watched: Sequence[_Watched], number: int) -> list[tuple[_Watched, list[Moment]]]:
    """The worst mistakes of all videos, video by video."""
    for one in watched:
        if not one.labeled:
            raise MissingError(f"{one.video.path} has no labels, so nobody can tell what is a mistake.")
    scores = {one.game: {w.video.half: w.scores for w in watched if w.game == one.game} for one in watched}
    chosen = worst([found for one in watched for found in one.outcomes], scores, number)
    return [
        (
            one,
            [
                _mistaken(found, seen(found, scores))
                for found in chosen
                if (found.game, found.half) == (one.game, one.video.half)
            ],
        )
        for one in watched
    ]


def _claimed(claim: Prediction) -> Moment:
    words = (claim.label, claim.team, f"{100 * claim.confidence:.0f}%")
    return Moment(claim.position_ms, " ".join(filter(None, words)))


def _mistaken(one: Outcome, highest: float) -> Moment:
    """`false alarm PASS left 93%`, `miss SHOT 4%`, `miss SHOT taken for PASS left 80%`."""
    if one.spot is None:
        assert one.claim is not None
        return Moment(one.position_ms, f"false alarm {_claimed(one.claim).told}")
    told = f"taken for {_claimed(one.claim).told}" if one.claim else f"{100 * highest:.0f}%"
    words = ("miss", one.spot.label, one.spot.team, told)
    return Moment(one.position_ms, " ".join(filter(None, words)))


def _all(source: Source, least: float | None) -> Iterator[_Watched]:
    if source.path.is_file():
        yield from _of_video(source, least)
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
        labels = labels_of_games([game])[game.id] if game.labels else None
        yield from _of_game(game, labels, predicted.folder / game.id, predicted.model, least)


def _of_video(source: Source, least: float | None) -> Iterator[_Watched]:
    if source.model is None:
        raise MissingError(f"{source.path} is a video: name the model that is to read it with --model RUN.")
    folder, model = _home(source), load_spotter(source.model, device=source.device)
    (game,) = open_dataset(source.path).games
    maker = maker_of(model)
    if not (maker.has_events(folder, game) and maker.has_scores(folder, game)):
        predict_video(source.path, source.model, out=folder, device=source.device, decoder=source.decoder)
    yield from _of_game(game, _labels_of_video(game, source.path), folder, model, least)


def _labels_of_video(game: Game, path: Path) -> Sequence[Spot] | None:
    """Those of the video's own name, else those beside it: of a half that is named so, the labels of that half."""
    if game.labels is not None:
        return labels_of_games([game])[game.id]
    beside = next((p for name in LABEL_FILES if (p := path.with_name(name)).is_file()), None)
    if beside is None:
        return None
    spots = labels_of_games([replace(game, labels=beside)])[game.id]
    if path.name.startswith(("1_", "2_")):
        return [replace(spot, half=1) for spot in spots if spot.half == int(path.name[0])]
    return None if any(spot.half == 2 for spot in spots) else spots


def _of_game(
    game: Game, labels: Sequence[Spot] | None, folder: Path, model: Spotter, least: float | None
) -> Iterator[_Watched]:
    (predictions,) = read_results(folder / RESULTS_FILE).values()
    scores = read_scores(folder / SCORES_FILE)
    actions, peaks = actions_of(model.classes), model.settings.peaks
    found = outcomes(
        {game.id: labels or ()},
        {game.id: predictions},
        thresholds={action: peaks.threshold(action) if least is None else least for action in actions},
        reach=reach_frames(_WINDOW_S, framerate=FRAMERATE),
        framerate=FRAMERATE,
    )
    for video in game.videos:
        of_half = (one for one in found if one.half == video.half)
        yield _Watched(
            game=game.id,
            video=video,
            name=Path(game.id) if len(game.videos) == 1 else Path(game.id) / video.path.stem,
            scores=scores[video.half],
            outcomes=tuple(sorted(of_half, key=lambda one: one.position_ms)),
            labeled=labels is not None,
            timeline=open_timeline(video.path, model.settings.extract),
        )


def _home(source: Source) -> Path:
    return spots_folder(source.path) if source.path.is_file() else source.path
