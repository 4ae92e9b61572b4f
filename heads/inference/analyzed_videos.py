"""Videos to watch, of a run's split or one by one: scores of every frame, and detections matched with labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bas.errors import MissingError
from bas.evaluate.analysis.outcomes import Outcome, match_outcomes
from bas.evaluate.dense_scores import SCORES_FILE, read_scores
from bas.evaluate.formats.soccernet import LABEL_FILES, RESULTS_FILE, read_results
from bas.evaluate.metric.tolerance import OFFICIAL_SECONDS, half_window_frames
from bas.evaluate.predictions import labels_of_games
from bas.evaluate.scoring.score import FRAMERATE
from bas.extract.decode.timeline import VideoTimeline, open_timeline
from bas.heads.inference.features import lone_settings
from bas.heads.inference.predictor import Predictor, load_predictor
from bas.heads.inference.single_video import sidecar_folder, video_game
from bas.types import Game, Scores, Spot, Video
from bas.workspace import Workspace


@dataclass(frozen=True, slots=True)
class MediaSource:
    """What to cut or render, and where: the matches of a split with a run, or one video with a model."""

    model: Path
    """Folder of the run or model."""
    video: Path | None
    """The one video; None for the matches of `split`."""
    split: str
    workspace: Workspace
    out: Path | None = None
    """Folder for the results and all that they need, so that nothing is written beside the video; None for the default."""

    def results(self, name: str) -> Path:
        """Folder for results: `out`, or the folder `name` in the run or in the sidecar folder of the video."""
        return self.out or (sidecar_folder(self.video) if self.video else self.model) / name

    @property
    def predictions(self) -> tuple[Path, ...]:
        """Folders in which predictions of the one video may lie; new ones go to the first."""
        assert self.video is not None
        beside = sidecar_folder(self.video)
        return (beside,) if self.out is None else (self.out / beside.name, beside)


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


def analyzed_videos(
    media: MediaSource, *, min_confidence: float | None, need_labels: bool = False
) -> Iterator[AnalyzedVideo]:
    """Every video of a source; predicted first, unless its model made the predictions that are stored.

    Args:
        media: videos and model.
        min_confidence: threshold of all classes; None takes the model's per-class thresholds.
        need_labels: refuse games without labels, before anything is predicted.

    Raises:
        MissingError, DataError: the model, a match, its labels or a video is missing or invalid.
    """
    predictor = load_predictor(media.model, media.workspace)
    labels: dict[str, Sequence[Spot] | None]
    if media.video is None:
        games = predictor.dataset.split(media.split, need_videos=False)
        labels = {game.id: labels_of_games([game])[game.id] if game.labels else None for game in games}
    else:
        games = (video_game(media.video),)
        labels = {games[0].id: _labels_for_video(games[0], media.video)}
    unlabeled = [game for game in games if labels[game.id] is None]
    if need_labels and unlabeled:
        raise MissingError(
            f"{unlabeled[0].videos[0].path} has no labels, so its mistakes are unknown. "
            f"Put {LABEL_FILES[0]} beside it, or leave out --mistakes."
        )
    if media.video is None:
        games, folder = predictor.predict_split(media.split)
    else:
        folder = _predicted_video(media, games[0], predictor)
    for game in games:
        of_game = folder if media.video else folder / game.id
        yield from _analyze_game(
            game, labels[game.id], of_game, predictor, min_confidence, lone=media.video is not None
        )


def _predicted_video(media: MediaSource, game: Game, predictor: Predictor) -> Path:
    """Folder with predictions of the one video; made unless this model made some that are stored."""
    stored = predictor.provenance
    for folder in media.predictions:
        if stored.has_detections(folder, game) and stored.has_scores(folder, game):
            return folder
    predictor.write_video(game, media.predictions[0])
    return media.predictions[0]


def _analyze_game(
    game: Game,
    labels: Sequence[Spot] | None,
    folder: Path,
    predictor: Predictor,
    min_confidence: float | None,
    *,
    lone: bool,
) -> Iterator[AnalyzedVideo]:
    settings = predictor.model.settings.extract
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
            timeline=open_timeline(video.path, lone_settings(settings) if lone else settings),
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
