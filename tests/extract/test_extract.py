"""Extraction as a user sees it: what is made, kept, refused, and what stands in the file."""

from __future__ import annotations

import os
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import media
import numpy as np
import pytest
import torch
from extracting import make_game, tiny_encoder, tiny_settings
from torch.nn import functional

from bas.config.settings import ExtractSettings
from bas.errors import DataError, MissingError, OutputError, PartialError, RunFailedError, SettingsError
from bas.extract import run as run_module
from bas.extract import segments as segments_module
from bas.extract import video as video_module
from bas.extract.cache import FeatureCache
from bas.extract.decode import Health
from bas.extract.plan import plan, plan_table
from bas.extract.run import ExtractReport, cached_rows, caches, extract
from bas.extract.timeline import open_timeline
from bas.files import read_json
from bas.types import Game, Video


@pytest.fixture
def settings(tmp_path: Path) -> ExtractSettings:
    return tiny_settings(tmp_path)


def run(games: list[Game], settings: ExtractSettings, tmp_path: Path, **options: Any) -> ExtractReport:
    return extract(games, settings, features=tmp_path / "features", device="cpu", **options)


def opened(game: Game, settings: ExtractSettings, tmp_path: Path) -> FeatureCache:
    return caches([game], settings, features=tmp_path / "features")[game.videos[0].path]


def outcomes(report: ExtractReport) -> list[str]:
    return [video.outcome for video in report.videos]


def test_row_i_is_the_encoding_of_the_pictures_at_two_i_and_two_ticks_before_and_after(
    settings: ExtractSettings, tmp_path: Path
) -> None:
    game = make_game(tmp_path, pictures=80)
    run([game], settings, tmp_path)
    cache = opened(game, settings, tmp_path)
    timeline = open_timeline(game.videos[0].path, settings)
    frames = list(timeline.frames(range(40), decoder="cpu", device="cpu", health=Health()))
    lumas = [np.asarray(frame.luma) for frame in frames]
    assert [media.number_of(luma) for luma in lumas] == list(range(80))
    assert len(cache) == 40
    for row in (0, 1, 11, 12, 13, 38, 39):
        ticks = [min(max(2 * row + offset, 0), 79) for offset in (-2, 0, 2)]
        stack = torch.from_numpy(np.stack([lumas[tick] for tick in ticks]))[None].float() / 255
        with torch.no_grad():
            wanted = functional.adaptive_avg_pool2d(tiny_encoder()(stack), (2, 2))[0].numpy()
        np.testing.assert_allclose(cache.features[row], wanted, rtol=2e-3, atol=2e-4)


def test_the_file_says_what_it_is(settings: ExtractSettings, tmp_path: Path) -> None:
    game = make_game(tmp_path, pictures=79)
    report = run([game], settings, tmp_path)
    cache = opened(game, settings, tmp_path)
    assert cache.path == report.folder / "game/1_720p.h5"
    assert (cache.num_frames, cache.hop, cache.rate, cache.header.shape) == (
        79,
        2,
        Fraction(25),
        (40, 64, 2, 2),
    )
    assert cache.header.facts.video_bytes == game.videos[0].path.stat().st_size
    assert (cache.header.facts.decoder, cache.header.facts.precision, cache.header.facts.complete) == (
        "cpu",
        "fp32",
        1,
    )
    assert (cache.header.facts.missing, cache.header.facts.damaged, cache.header.facts.clamped) == (0, 0, 0)
    assert cache.valid.all()
    assert (np.diff(cache.pts) > 0).all()


def test_nothing_is_done_twice(settings: ExtractSettings, tmp_path: Path) -> None:
    game = make_game(tmp_path)
    assert outcomes(run([game], settings, tmp_path)) == ["made"]
    path = opened(game, settings, tmp_path).path
    written = path.stat()
    assert outcomes(run([game], settings, tmp_path)) == ["kept"]
    assert path.stat() == written


def test_nothing_but_the_cache_its_lock_and_the_report_stays(
    settings: ExtractSettings, tmp_path: Path
) -> None:
    report = run([make_game(tmp_path)], settings, tmp_path)
    files = sorted(str(p.relative_to(report.folder)) for p in report.folder.rglob("*") if p.is_file())
    assert files == ["game/1_720p.h5", "game/1_720p.lock", "report.json"]


def test_a_video_replaced_by_another_of_the_same_age_is_extracted_anew(
    settings: ExtractSettings, tmp_path: Path
) -> None:
    game = make_game(tmp_path)
    path = game.videos[0].path
    run([game], settings, tmp_path)
    before = opened(game, settings, tmp_path).identity
    age = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # the same size too
    path.write_bytes(content)
    os.utime(path, ns=(age.st_atime_ns, age.st_mtime_ns))
    assert outcomes(run([game], settings, tmp_path)) == ["made"]
    assert opened(game, settings, tmp_path).identity != before


def test_rows_of_a_video_of_another_size_are_not_opened(settings: ExtractSettings, tmp_path: Path) -> None:
    game = make_game(tmp_path)
    run([game], settings, tmp_path)
    make_game(tmp_path, pictures=60)
    assert caches([game], settings, features=tmp_path / "features") == {}


def test_rows_that_lack_are_extracted_before_they_are_opened(
    settings: ExtractSettings, tmp_path: Path
) -> None:
    games = [make_game(tmp_path, name) for name in ("one", "two")]
    run(games[:1], settings, tmp_path)
    rows = cached_rows(games, settings, features=tmp_path / "features", device="cpu")
    assert list(rows) == [game.videos[0].path for game in games]


def test_damaged_rows_are_made_anew_before_they_are_opened(settings: ExtractSettings, tmp_path: Path) -> None:
    games, folder = [make_game(tmp_path)], tmp_path / "features"
    (cache,) = cached_rows(games, settings, features=folder, device="cpu").values()
    rows = np.array(cache.features)
    with cache.path.open("r+b") as stream:
        stream.seek(cache.header.offset + 500)
        stream.write(b"12345678")
    (mended,) = cached_rows(games, settings, features=folder, device="cpu").values()
    assert np.array_equal(mended.features, rows)


def test_a_damaged_segment_alone_is_computed_again(settings: ExtractSettings, tmp_path: Path) -> None:
    game = make_game(tmp_path, pictures=120)
    run([game], settings, tmp_path)
    cache = opened(game, settings, tmp_path)
    sound = cache.path.read_bytes()
    damaged = bytearray(sound)
    damaged[cache.header.offset + 30 * 512] ^= 1  # row 30 is in the third segment of five
    cache.path.write_bytes(damaged)
    report = run([game], settings, tmp_path)
    assert (outcomes(report), report.videos[0].computed_segments) == (["made"], 1)
    assert cache.path.read_bytes() == sound


@pytest.mark.parametrize("place", [100, -10])
def test_a_file_whose_header_or_end_is_damaged_is_made_anew(
    settings: ExtractSettings, tmp_path: Path, place: int
) -> None:
    game = make_game(tmp_path)
    run([game], settings, tmp_path)
    path = opened(game, settings, tmp_path).path
    sound = path.read_bytes()
    damaged = bytearray(sound)
    damaged[place] ^= 1
    path.write_bytes(damaged)
    assert outcomes(run([game], settings, tmp_path)) == ["made"]
    assert path.read_bytes() == sound


def test_the_flipped_view_is_the_rows_of_the_mirrored_video(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    game, flipped = make_game(tmp_path), settings.model_copy(update={"flip": True})
    run([game], settings, tmp_path)
    run([game], flipped, tmp_path)
    plain, mirrored = (opened(game, s, tmp_path) for s in (settings, flipped))
    assert plain.path != mirrored.path
    timeline = open_timeline(game.videos[0].path, settings)
    frame = next(timeline.frames(range(1), decoder="cpu", device="cpu", health=Health()))
    stack = torch.from_numpy(np.asarray(frame.luma)[:, ::-1].copy()).float().expand(1, 3, -1, -1) / 255
    with torch.no_grad():
        wanted = functional.adaptive_avg_pool2d(tiny_encoder()(stack), (2, 2))[0].numpy()
    still = settings.model_copy(update={"flip": True, "stack": (0, 0, 0)})
    run([game], still, tmp_path)
    np.testing.assert_allclose(opened(game, still, tmp_path).features[0], wanted, rtol=2e-3, atol=2e-4)


def test_pictures_of_another_size_are_scaled(settings: ExtractSettings, tmp_path: Path) -> None:
    small, large = make_game(tmp_path, "small"), make_game(tmp_path, "large", size=(192, 128))
    run([small, large], settings, tmp_path)
    rows = [opened(game, settings, tmp_path).features[:].astype(np.float32) for game in (small, large)]
    assert np.corrcoef(rows[0].ravel(), rows[1].ravel())[0, 1] > 0.95


@pytest.mark.parametrize(("segment_seconds", "batch"), [(1, 1), (60, 7)])
def test_neither_batches_nor_segments_change_the_rows(
    settings: ExtractSettings, tmp_path: Path, segment_seconds: int, batch: int
) -> None:
    game = make_game(tmp_path)
    run([game], settings, tmp_path)
    rows = opened(game, settings, tmp_path).features[:].astype(np.float32)
    changed = settings.model_copy(update={"segment_seconds": segment_seconds, "batch": batch})
    extract([game], changed, features=tmp_path / "again", device="cpu")
    (again,) = caches([game], changed, features=tmp_path / "again").values()
    np.testing.assert_allclose(again.features, rows, rtol=2e-3, atol=1e-4)


def test_several_decoders_at_once_give_the_same_bytes_as_one(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = make_game(tmp_path, pictures=200)
    run([game], settings, tmp_path)
    whole = opened(game, settings, tmp_path).path.read_bytes()
    monkeypatch.setattr(segments_module, "_CPU_RUNS", 3)
    extract([game], settings, features=tmp_path / "many", device="cpu")
    (many,) = caches([game], settings, features=tmp_path / "many").values()
    assert many.path.read_bytes() == whole


def test_a_bad_video_never_stops_the_others(settings: ExtractSettings, tmp_path: Path) -> None:
    games = [make_game(tmp_path, name) for name in ("a", "b", "c")]
    games[0].videos[0].path.write_bytes(b"<!DOCTYPE html>")
    games[2].videos[0].path.unlink()
    with pytest.raises(DataError, match="2 of 3 videos could not be extracted") as caught:
        run(games, settings, tmp_path)
    assert "a/1_720p.mkv" in str(caught.value)
    (rows,) = caches(games, settings, features=tmp_path / "features").values()
    document = read_json(rows.path.parent.parent / "report.json")
    assert [video["outcome"] for video in document["videos"]] == ["refused", "made", "refused"]


def test_a_missing_video_is_an_error_of_its_own(settings: ExtractSettings, tmp_path: Path) -> None:
    game = make_game(tmp_path)
    game.videos[0].path.unlink()
    with pytest.raises(MissingError, match="1_720p.mkv is not there"):
        run([game], settings, tmp_path)


def holed(tmp_path: Path) -> Game:
    whole = media.write_video(tmp_path / "whole.mkv", 120, size=(96, 64), b_frames=0, keyframe_every=10)
    path = media.drop_packets(whole, tmp_path / "game/1_720p.mkv", keep=lambda n: not 40 <= n < 60)
    return Game("game", (Video(path, 1),), None)


def test_a_video_with_a_hole_is_refused_before_it_is_decoded(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_module, "compute_segments", None)
    with pytest.raises(DataError, match=r"no picture for 0.84 s.*on_bad_video=degrade"):
        run([holed(tmp_path)], settings, tmp_path)


def test_a_video_with_a_hole_is_left_out_where_the_user_says_skip(
    settings: ExtractSettings, tmp_path: Path
) -> None:
    games = [holed(tmp_path), make_game(tmp_path, "good")]
    with pytest.raises(PartialError, match="report.json"):
        run(games, settings.model_copy(update={"on_bad_video": "skip"}), tmp_path)
    assert len(caches(games, settings, features=tmp_path / "features")) == 1


def test_a_hole_leaves_its_rows_not_valid_and_the_others_in_place_where_the_user_says_degrade(
    settings: ExtractSettings, tmp_path: Path
) -> None:
    game, whole = holed(tmp_path), make_game(tmp_path, "good", 120, b_frames=0, keyframe_every=10)
    with pytest.raises(PartialError):
        run([game, whole], settings.model_copy(update={"on_bad_video": "degrade"}), tmp_path)
    cache, other = (opened(g, settings, tmp_path) for g in (game, whole))
    lost = [row for row in range(60) if {2 * row - 2, 2 * row, 2 * row + 2} & set(range(40, 60))]
    assert np.flatnonzero(~cache.valid).tolist() == lost
    assert np.array_equal(cache.features[cache.valid], other.features[cache.valid])
    assert (cache.header.facts.missing, cache.header.facts.damaged) == (10, 0)
    assert run([game], settings, tmp_path).videos[0].outcome == "kept"


def test_whoever_reads_the_rows_of_a_video_with_a_hole_is_told(
    settings: ExtractSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    game, whole = holed(tmp_path), make_game(tmp_path, "good", 120, b_frames=0, keyframe_every=10)
    degrade = settings.model_copy(update={"on_bad_video": "degrade"})
    for _ in range(2):
        capsys.readouterr()
        cached_rows([game, whole], degrade, features=tmp_path / "features", device="cpu")
        told = " ".join("".join(capsys.readouterr()).split())
        assert told.count("pictures 10 are missing and 0 damaged") == 1
        assert "good: of" not in told


def test_damaged_pictures_are_counted_and_their_rows_not_valid(
    settings: ExtractSettings, tmp_path: Path
) -> None:
    game = make_game(tmp_path, pictures=200)
    media.flip_bytes(game.videos[0].path, 40, seed=3)
    with pytest.raises(DataError, match="damaged.*of .* pictures|pictures .* damaged|marked as damaged"):
        run([game], settings, tmp_path)
    with pytest.raises(PartialError):
        run([game], settings.model_copy(update={"on_bad_video": "degrade"}), tmp_path)
    cache = opened(game, settings, tmp_path)
    assert cache.header.facts.missing + cache.header.facts.damaged > 0
    assert 0 < cache.valid.sum() < len(cache)


def test_a_first_picture_later_than_half_a_second_needs_a_word_from_the_user(
    settings: ExtractSettings, tmp_path: Path
) -> None:
    game = make_game(tmp_path, start_ms=1280)
    with pytest.raises(DataError, match=r"first picture comes at 1.28 s.*time_origin=start"):
        run([game], settings, tmp_path)
    for origin, frames, first in (("start", 80, True), ("zero", 112, False)):
        told = settings.model_copy(update={"time_origin": origin})
        extract([game], told, features=tmp_path / origin, device="cpu")
        (cache,) = caches([game], told, features=tmp_path / origin).values()
        assert cache.num_frames == frames
        assert cache.valid[0] == first
        assert cache.valid[20:].all()


def test_a_video_of_varying_rate_lies_on_the_clock_by_its_times(
    settings: ExtractSettings, tmp_path: Path
) -> None:
    times = np.cumsum([0, *([40, 80, 20] * 40)]).tolist()
    game = make_game(tmp_path, times_ms=times)
    run([game], settings, tmp_path)
    cache = opened(game, settings, tmp_path)
    assert cache.num_frames == round(times[-1] / 40) + 1
    shown = np.abs(cache.pts - 40 * np.arange(cache.num_frames))
    assert shown.max() <= 40
    assert cache.valid.all()


@pytest.mark.parametrize("fps", [50, 30])
def test_another_rate_is_laid_on_the_clock(settings: ExtractSettings, tmp_path: Path, fps: int) -> None:
    game = make_game(tmp_path, pictures=2 * fps, fps=fps)
    run([game], settings, tmp_path)
    cache = opened(game, settings, tmp_path)
    assert abs(cache.num_frames - 50) <= 1
    assert cache.valid.all()


def test_declared_counts_of_pictures_are_never_used(settings: ExtractSettings, tmp_path: Path) -> None:
    games = [make_game(tmp_path, form, form=form) for form in ("mkv", "mp4")]
    run(games, settings, tmp_path)
    rows = [opened(game, settings, tmp_path) for game in games]
    assert len(rows[0]) == len(rows[1]) == 40
    assert np.array_equal(rows[0].features, rows[1].features)


def test_features_that_are_not_finite_are_refused_by_their_time(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, float("nan"), row=13)
    with pytest.raises(DataError, match=r"1 rows of features at 00:01-00:01 are not finite in fp32"):
        run([make_game(tmp_path)], settings, tmp_path)
    assert not list(tmp_path.rglob("*.h5"))


def test_features_beyond_float16_are_clamped_and_counted(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, -1e6, row=13)
    game = make_game(tmp_path)
    run([game], settings, tmp_path)
    cache = opened(game, settings, tmp_path)
    assert cache.header.facts.clamped == 1
    assert cache.features[13, 0, 0, 0] == -65504
    assert np.isfinite(cache.features).all()


def spoil(monkeypatch: pytest.MonkeyPatch, value: float, *, row: int) -> None:
    """Let the encoder give `value` once, in the second segment."""
    publish = segments_module._publish

    def spoiled(work: Any, segment: int, values: np.ndarray, **options: Any) -> Any:
        if segment == 1:
            values[row - 12, 0, 0, 0] = value
        return publish(work, segment, values, **options)

    monkeypatch.setattr(segments_module, "_publish", spoiled)


def test_a_resumed_extraction_keeps_its_precision_or_refuses(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = make_game(tmp_path)
    monkeypatch.setattr(video_module, "write_cache", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run([game], settings.model_copy(update={"precision": "bf16"}), tmp_path)
    monkeypatch.undo()
    with pytest.raises(SettingsError, match=r"computed in bf16, and this run asks for fp32"):
        run([game], settings, tmp_path)
    report = run([game], settings.model_copy(update={"precision": "auto"}), tmp_path)
    assert (report.videos[0].precision, report.videos[0].computed_segments) == ("bf16", 0)


def interrupted(*arguments: Any, **options: Any) -> None:
    raise KeyboardInterrupt


def test_parts_of_other_settings_are_not_taken_for_ours(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = make_game(tmp_path)
    monkeypatch.setattr(video_module, "write_cache", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run([game], settings.model_copy(update={"segment_seconds": 2}), tmp_path)
    monkeypatch.undo()
    report = run([game], settings, tmp_path)
    assert report.videos[0].computed_segments == 4


def test_a_shard_takes_every_nth_video_and_all_shards_take_all(
    settings: ExtractSettings, tmp_path: Path
) -> None:
    games = [make_game(tmp_path, str(i), 30) for i in range(5)]
    shares = [[v.game for v in run(games, settings, tmp_path, shard=(i, 2)).videos] for i in range(2)]
    assert shares == [["0", "2", "4"], ["1", "3"]]


def test_torchruns_rank_is_the_default_shard(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "3")
    games = [make_game(tmp_path, str(i), 30) for i in range(4)]
    report = run(games, settings, tmp_path)
    assert [video.game for video in report.videos] == ["1"]
    assert (report.folder / "report-1-of-3.json").exists()


def test_a_shard_that_does_not_exist_is_refused(settings: ExtractSettings, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="shards count from 0 to 1"):
        run([make_game(tmp_path)], settings, tmp_path, shard=(2, 2))


def test_too_little_space_is_said_before_anything_is_written(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 40_000})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OutputError, match=r"needs 40,960 bytes .* and 40,000 are free"):
        run([make_game(tmp_path)], settings, tmp_path)
    assert not list(tmp_path.rglob("*.part"))


def test_a_plan_decodes_nothing_and_knows_what_is_there(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    games = [make_game(tmp_path, "there"), make_game(tmp_path, "lacking", 50)]
    run(games[:1], settings, tmp_path)
    monkeypatch.setattr("bas.extract.timeline.read_frames", None)
    monkeypatch.setattr("bas.extract.plan._MEASURE_SECONDS", 0.01)
    there, lacking = plan(games, settings, features=tmp_path / "features", device="cpu")
    assert (there.rows, there.bytes, there.seconds) == (40, 40 * 512, 0)
    assert (lacking.rows, lacking.bytes) == (25, 25 * 512)
    assert lacking.seconds > 0
    assert plan_table([there, lacking]).row_count == 3


def test_random_weights_need_not_be_there_for_a_plan(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bas.extract.plan._MEASURE_SECONDS", 0.01)
    unmade = settings.model_copy(update={"weights": "random"})
    game = make_game(tmp_path)
    (lacking,) = plan([game], unmade, features=tmp_path / "features", device="cpu", training=[game])
    assert lacking.seconds > 0
    assert not list(tmp_path.glob("features/**/*.safetensors"))


def test_memory_that_runs_out_is_said_with_its_remedy(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(*arguments: Any, **options: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(run_module, "extract_video", out_of_memory)
    with pytest.raises(RunFailedError, match=r"--set extract.batch="):
        run([make_game(tmp_path)], settings, tmp_path)
