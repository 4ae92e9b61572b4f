"""`bas clips` and `bas render`: clips of detections or mistakes, and whole videos with scores drawn in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bas import console
from bas.commands.scoring.evaluate import predict_video
from bas.config.base import Decoder
from bas.dataset import open_dataset
from bas.errors import MissingError
from bas.evaluate.analysis.outcomes import Outcome, match_outcomes, peak_score, worst_mistakes
from bas.evaluate.formats.soccernet import LABEL_FILES, RESULTS_FILE, read_results
from bas.evaluate.metric.tolerance import half_window_frames
from bas.evaluate.predictions import labels_of_games
from bas.evaluate.scores import SCORES_FILE, read_scores
from bas.evaluate.scoring.score import FRAMERATE
from bas.evaluate.video.highlights import Highlight, cut_highlights
from bas.evaluate.video.overlay import Overlay, render
from bas.extract.decode.timeline import VideoTimeline, open_timeline
from bas.heads.inference.ensemble import VideoModel, load_video_model
from bas.heads.inference.predictor import predict_split, sidecar_folder
from bas.heads.inference.provenance import provenance_of
from bas.types import Game, Prediction, Scores, Spot, Video
from bas.vocabulary import actions_of

_WINDOW_S = 1.0  # full width of the window in which a detection matches a label


@dataclass(frozen=True, slots=True)
class MediaSource:
    """What to cut or render: the matches of a split with a run, or one video with a model."""

    path: Path
    """Run folder, or a video."""
    model: Path | None
    """Model folder to score the video with; None for a run."""
    split: str
    data: Path
    features: Path
    device: str
    decoder: Decoder = "auto"


@dataclass(frozen=True, slots=True)
class _AnalyzedVideo:
    """One video with its scores, and its detections matched with its labels."""

    game: str
    video: Video
    name: Path
    """Path below the output folder, without suffix."""
    scores: Scores
    outcomes: tuple[Outcome, ...]
    labeled: bool
    timeline: VideoTimeline


def make_clips(
    media: MediaSource, *, out: Path | None, min_confidence: float | None, num_mistakes: int | None
) -> tuple[Path, ...]:
    """Cut every detection above the threshold, or the worst mistakes of all videos; returns the paths.

    Args:
        media: videos to cut from, and the model.
        out: takes one folder per video; by default `clips/` or `mistakes/` in the run or the sidecar folder.
        min_confidence: threshold of all classes; None takes the model's per-class thresholds.
        num_mistakes: number of mistakes to cut; None cuts detections.

    Raises:
        MissingError, DataError: the model, a match or a video is missing or invalid.
        MissingError: mistakes were requested of a video without labels.
    """
    videos = list(_analyzed_videos(media, min_confidence))
    if num_mistakes is None:
        chosen = [
            (one, [_detection_highlight(outcome.detection) for outcome in one.outcomes if outcome.detection])
            for one in videos
        ]
    else:
        chosen = _worst_by_video(videos, num_mistakes)
    # In its own folder the command replaces its earlier clips; in a folder of the user it deletes nothing.
    ours = out is None
    out = out or _output_folder(media) / ("clips" if num_mistakes is None else "mistakes")
    paths = [
        path
        for one, moments in chosen
        for path in cut_highlights(
            one.timeline.times, moments, out / one.name, origin_pts=one.timeline.origin_pts, remove_stale=ours
        )
    ]
    console.info(f"Wrote {len(paths)} clips to {out}")
    return tuple(paths)


def make_renders(media: MediaSource, *, out: Path | None, min_confidence: float | None) -> tuple[Path, ...]:
    """Draw scores, detections and labels onto a copy of every video; returns the paths.

    Args:
        media: videos to render, and the model.
        out: takes one file per video; by default `rendered/` in the run or the sidecar folder.
        min_confidence: threshold of all classes; None takes the model's per-class thresholds.

    Raises:
        MissingError, DataError: the model, a match or a video is missing or invalid.
    """
    out = out or _output_folder(media) / "rendered"
    paths = []
    for one in _analyzed_videos(media, min_confidence):
        path = out / f"{one.name}.mp4"
        overlay = Overlay(one.scores, one.outcomes, one.labeled)
        render(one.timeline.times, overlay, path, origin_pts=one.timeline.origin_pts)
        console.info(f"{path}")
        paths.append(path)
    return tuple(paths)


def _worst_by_video(
    videos: Sequence[_AnalyzedVideo], number: int
) -> list[tuple[_AnalyzedVideo, list[Highlight]]]:
    """The worst mistakes of all videos, grouped by video."""
    for one in videos:
        if not one.labeled:
            raise MissingError(
                f"{one.video.path} has no labels, so its mistakes are unknown. "
                f"Put {LABEL_FILES[0]} beside it, or leave out --mistakes."
            )
    scores = {one.game: {w.video.half: w.scores for w in videos if w.game == one.game} for one in videos}
    chosen = worst_mistakes([outcome for one in videos for outcome in one.outcomes], scores, number)
    return [
        (
            one,
            [
                _mistake_highlight(outcome, peak_score(outcome, scores))
                for outcome in chosen
                if (outcome.game, outcome.half) == (one.game, one.video.half)
            ],
        )
        for one in videos
    ]


def _detection_highlight(detection: Prediction) -> Highlight:
    words = (detection.label, detection.team, f"{100 * detection.confidence:.0f}%")
    return Highlight(detection.position_ms, " ".join(filter(None, words)))


def _mistake_highlight(one: Outcome, highest: float) -> Highlight:
    """`false positive PASS left 93%`, `miss SHOT 4%`, `miss SHOT taken for PASS left 80%`."""
    if one.spot is None:
        assert one.detection is not None
        return Highlight(one.position_ms, f"false positive {_detection_highlight(one.detection).caption}")
    instead = (
        f"taken for {_detection_highlight(one.detection).caption}"
        if one.detection
        else f"{100 * highest:.0f}%"
    )
    words = ("miss", one.spot.label, one.spot.team, instead)
    return Highlight(one.position_ms, " ".join(filter(None, words)))


def _analyzed_videos(media: MediaSource, min_confidence: float | None) -> Iterator[_AnalyzedVideo]:
    if media.path.is_file():
        yield from _analyze_video(media, min_confidence)
        return
    predicted = predict_split(
        media.path,
        data=media.data,
        features=media.features,
        split=media.split,
        device=media.device,
        decoder=media.decoder,
    )
    for game in predicted.games:
        labels = labels_of_games([game])[game.id] if game.labels else None
        yield from _analyze_game(game, labels, predicted.folder / game.id, predicted.model, min_confidence)


def _analyze_video(media: MediaSource, min_confidence: float | None) -> Iterator[_AnalyzedVideo]:
    if media.model is None:
        raise MissingError(f"{media.path} is a video, so it needs a model. Name one with --model RUN.")
    folder, model = _output_folder(media), load_video_model(media.model, device=media.device)
    (game,) = open_dataset(media.path).games
    maker = provenance_of(model)
    if not (maker.has_events(folder, game) and maker.has_scores(folder, game)):
        predict_video(media.path, media.model, out=folder, device=media.device, decoder=media.decoder)
    yield from _analyze_game(game, _labels_for_video(game, media.path), folder, model, min_confidence)


def _labels_for_video(game: Game, path: Path) -> Sequence[Spot] | None:
    """Labels in `<video>.json`, otherwise those of the match beside the video.

    A file named `1_...` or `2_...` is one half and takes the labels of that half. Any other name must hold the
    whole match: labels of a second half then belong to another file, and nothing is assumed about this one.
    """
    if game.labels is not None:
        return labels_of_games([game])[game.id]
    beside = next((p for name in LABEL_FILES if (p := path.with_name(name)).is_file()), None)
    if beside is None:
        return None
    spots = labels_of_games([replace(game, labels=beside)])[game.id]
    if path.name.startswith(("1_", "2_")):
        return [replace(spot, half=1) for spot in spots if spot.half == int(path.name[0])]
    return None if any(spot.half == 2 for spot in spots) else spots


def _analyze_game(
    game: Game, labels: Sequence[Spot] | None, folder: Path, model: VideoModel, min_confidence: float | None
) -> Iterator[_AnalyzedVideo]:
    (predictions,) = read_results(folder / RESULTS_FILE).values()
    scores = read_scores(folder / SCORES_FILE)
    actions, peaks = actions_of(model.classes), model.settings.peaks
    outcomes = match_outcomes(
        {game.id: labels or ()},
        {game.id: predictions},
        thresholds={
            action: peaks.threshold(action) if min_confidence is None else min_confidence
            for action in actions
        },
        half_window=half_window_frames(_WINDOW_S, framerate=FRAMERATE),
        framerate=FRAMERATE,
    )
    for video in game.videos:
        of_half = (outcome for outcome in outcomes if outcome.half == video.half)
        yield _AnalyzedVideo(
            game=game.id,
            video=video,
            name=Path(game.id) if len(game.videos) == 1 else Path(game.id) / video.path.stem,
            scores=scores[video.half],
            outcomes=tuple(sorted(of_half, key=lambda one: one.position_ms)),
            labeled=labels is not None,
            timeline=open_timeline(video.path, model.settings.extract),
        )


def _output_folder(media: MediaSource) -> Path:
    return sidecar_folder(media.path) if media.path.is_file() else media.path
