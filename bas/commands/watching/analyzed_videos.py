"""Videos to watch, of a run's split or one by one: scores of every frame, and detections matched with labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bas.errors import MissingError
from bas.evaluate.analysis.outcomes import Outcome, match_outcomes
from bas.evaluate.formats.soccernet import LABEL_FILES, RESULTS_FILE, read_results
from bas.evaluate.metric.tolerance import OFFICIAL_SECONDS, half_window_frames
from bas.evaluate.predictions import labels_of_games
from bas.evaluate.scores import SCORES_FILE, read_scores
from bas.evaluate.scoring.score import FRAMERATE
from bas.extract.decode.timeline import VideoTimeline, open_timeline
from bas.heads.inference.predictor import Predictor, load_predictor, sidecar_folder, video_game
from bas.types import Game, Scores, Spot, Video
from bas.workspace import Workspace


@dataclass(frozen=True, slots=True)
class MediaSource:
    """What to cut or render: the matches of a split with a run, or one video with a model."""

    path: Path
    """Run folder, or a video."""
    model: Path | None
    """Model folder to score the video with; None for a run."""
    split: str
    workspace: Workspace

    @property
    def folder(self) -> Path:
        """The run, or the sidecar folder of the video."""
        return sidecar_folder(self.path) if self.path.is_file() else self.path


@dataclass(frozen=True, slots=True)
class AnalyzedVideo:
    """One video with its scores, and its detections matched with its labels."""

    game: str
    video: Video
    name: Path
    """Path below the output folder, without suffix."""
    scores: Scores
    outcomes: tuple[Outcome, ...]
    labeled: bool
    timeline: VideoTimeline


def analyzed_videos(media: MediaSource, min_confidence: float | None) -> Iterator[AnalyzedVideo]:
    """Every video of a source; predicted first, unless its model made the predictions that are stored.

    Args:
        media: videos and model.
        min_confidence: threshold of all classes; None takes the model's per-class thresholds.

    Raises:
        MissingError, DataError: the model, a match or a video is missing or invalid.
    """
    if not media.path.is_file():
        predictor = load_predictor(media.path, media.workspace)
        games, folder = predictor.predict_split(media.split)
        for game in games:
            spots = labels_of_games([game])[game.id] if game.labels else None
            yield from _analyze_game(game, spots, folder / game.id, predictor, min_confidence)
        return
    if media.model is None:
        raise MissingError(f"{media.path} is a video, so it needs a model. Name one with --model RUN.")
    predictor, game = load_predictor(media.model, media.workspace), video_game(media.path)
    stored = predictor.provenance
    if not (stored.has_detections(media.folder, game) and stored.has_scores(media.folder, game)):
        predictor.write_video(game, media.folder)
    labels = _labels_for_video(game, media.path)
    yield from _analyze_game(game, labels, media.folder, predictor, min_confidence)


def _analyze_game(
    game: Game,
    labels: Sequence[Spot] | None,
    folder: Path,
    predictor: Predictor,
    min_confidence: float | None,
) -> Iterator[AnalyzedVideo]:
    (predictions,) = read_results(folder / RESULTS_FILE).values()
    scores = read_scores(folder / SCORES_FILE)
    postprocess = predictor.postprocess
    outcomes = match_outcomes(
        {game.id: labels or ()},
        {game.id: predictions},
        thresholds={
            action: postprocess.threshold(action) if min_confidence is None else min_confidence
            for action in predictor.actions
        },
        half_window=half_window_frames(OFFICIAL_SECONDS, framerate=FRAMERATE),
        framerate=FRAMERATE,
    )
    for video in game.videos:
        of_half = (outcome for outcome in outcomes if outcome.half == video.half)
        yield AnalyzedVideo(
            game=game.id,
            video=video,
            name=Path(game.id) if len(game.videos) == 1 else Path(game.id) / video.path.stem,
            scores=scores[video.half],
            outcomes=tuple(sorted(of_half, key=lambda one: one.position_ms)),
            labeled=labels is not None,
            timeline=open_timeline(video.path, predictor.model.settings.extract),
        )


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
