"""Extraction as a user sees it: videos extracted, kept and refused, and the content of the cache."""

from __future__ import annotations

import os
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import media
from support.extracting import make_game, tiny_encoder, tiny_settings
from torch.nn import functional

from bas.commands.data.extract import plan_table
from bas.config.extract import ExtractSettings
from bas.errors import DataError, MissingError, OutputError, PartialError, RunFailedError, SettingsError
from bas.extract import extract as run_module
from bas.extract import segments as segments_module
from bas.extract import video as video_module
from bas.extract.cache.reader import FeatureCache
from bas.extract.decode.frames import DecodeStats
from bas.extract.decode.timeline import open_timeline
from bas.extract.extract import ExtractReport, cached_features, extract, open_caches
from bas.files import read_json
from bas.types import Game, Video


@pytest.fixture
def settings(tmp_path: Path) -> ExtractSettings:
    return tiny_settings(tmp_path)


def run(games: list[Game], settings: ExtractSettings, tmp_path: Path, **options: Any) -> ExtractReport:
    return extract(games, settings, features=tmp_path / "features", device="cpu", **options)


def opened(game: Game, settings: ExtractSettings, tmp_path: Path) -> FeatureCache:
    return open_caches([game], settings, features=tmp_path / "features")[game.videos[0].path]


def outcomes(report: ExtractReport) -> list[str]:
    return [video.outcome for video in report.videos]


def test_row_i_encodes_frames_2i_minus_2_and_2i_and_2i_plus_2(
    settings: ExtractSettings, tmp_path: Path
) -> None:
    game = make_game(tmp_path, pictures=80)
    run([game], settings, tmp_path)
    cache = opened(game, settings, tmp_path)
    timeline = open_timeline(game.videos[0].path, settings)
    frames = list(timeline.read_frames(range(40), decoder="cpu", device="cpu", stats=DecodeStats()))
    lumas = [np.asarray(frame.luma) for frame in frames]
    assert [media.number_of(luma) for luma in lumas] == list(range(80))
    assert len(cache) == 40
    for row in (0, 1, 11, 12, 13, 38, 39):
        numbers = [min(max(2 * row + offset, 0), 79) for offset in (-2, 0, 2)]
        stack = torch.from_numpy(np.stack([lumas[number] for number in numbers]))[None].float() / 255
        with torch.no_grad():
            expected = functional.adaptive_avg_pool2d(tiny_encoder()(stack), (2, 2))[0].numpy()
        np.testing.assert_allclose(cache.features[row], expected, rtol=2e-3, atol=2e-4)


def test_the_attributes_describe_the_cache(settings: ExtractSettings, tmp_path: Path) -> None:
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
    assert cache.header.attributes.video_bytes == game.videos[0].path.stat().st_size
    assert (
        cache.header.attributes.decoder,
        cache.header.attributes.precision,
        cache.header.attributes.complete,
    ) == (
        "cpu",
        "fp32",
        1,
    )
    assert (
        cache.header.attributes.missing,
        cache.header.attributes.damaged,
        cache.header.attributes.clamped,
    ) == (0, 0, 0)
    assert cache.valid.all()
    assert (np.diff(cache.pts) > 0).all()


def test_a_second_run_changes_nothing(settings: ExtractSettings, tmp_path: Path) -> None:
    game = make_game(tmp_path)
    assert outcomes(run([game], settings, tmp_path)) == ["extracted"]
    path = opened(game, settings, tmp_path).path
    written = path.stat()
    assert outcomes(run([game], settings, tmp_path)) == ["kept"]
    assert path.stat() == written


def test_only_the_cache_its_lock_and_the_report_remain(settings: ExtractSettings, tmp_path: Path) -> None:
    report = run([make_game(tmp_path)], settings, tmp_path)
    files = sorted(str(p.relative_to(report.folder)) for p in report.folder.rglob("*") if p.is_file())
    assert files == ["game/1_720p.h5", "game/1_720p.lock", "report.json"]


@pytest.mark.fault("C07")
def test_a_video_replaced_by_another_of_the_same_age_and_size_is_extracted_again(
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
    assert outcomes(run([game], settings, tmp_path)) == ["extracted"]
    assert opened(game, settings, tmp_path).identity != before


@pytest.mark.fault("C07")
def test_rows_of_a_video_of_another_size_are_not_opened(settings: ExtractSettings, tmp_path: Path) -> None:
    game = make_game(tmp_path)
    run([game], settings, tmp_path)
    make_game(tmp_path, pictures=60)
    assert open_caches([game], settings, features=tmp_path / "features") == {}


@pytest.mark.fault("C07")
def test_rows_of_a_video_replaced_by_another_of_the_same_age_and_size_are_not_opened(
    settings: ExtractSettings, tmp_path: Path
) -> None:
    game = make_game(tmp_path)
    path = game.videos[0].path
    run([game], settings, tmp_path)
    assert list(open_caches([game], settings, features=tmp_path / "features")) == [path]
    replace_keeping_age_and_size(path, make_game(tmp_path, "other", pictures=79).videos[0].path)
    assert open_caches([game], settings, features=tmp_path / "features") == {}
    assert list(cached_features([game], settings, features=tmp_path / "features", device="cpu")) == [path]
    assert opened(game, settings, tmp_path).num_frames == 79


@pytest.mark.fault("C07")
def test_the_cache_of_an_earlier_version_is_used_until_its_video_has_another_length(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = make_game(tmp_path)
    path = game.videos[0].path
    monkeypatch.setattr("bas.extract.cache.fingerprint.sample_of", lambda path: "")  # it had none
    run([game], settings, tmp_path)
    assert opened(game, settings, tmp_path).video.sample == ""
    assert list(open_caches([game], settings, features=tmp_path / "features")) == [path]
    replace_keeping_age_and_size(path, make_game(tmp_path, "other", pictures=40).videos[0].path)
    assert open_caches([game], settings, features=tmp_path / "features") == {}


def replace_keeping_age_and_size(path: Path, other: Path) -> None:
    """Give a video the content of a shorter one, filled up with an element that Matroska skips."""
    before, content = path.stat(), other.read_bytes()
    room = before.st_size - len(content)
    assert room >= 9
    void = b"\xec\x01" + (room - 9).to_bytes(7) + bytes(room - 9)
    path.write_bytes(content + void)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def test_missing_rows_are_extracted_before_they_are_opened(settings: ExtractSettings, tmp_path: Path) -> None:
    games = [make_game(tmp_path, name) for name in ("one", "two")]
    run(games[:1], settings, tmp_path)
    rows = cached_features(games, settings, features=tmp_path / "features", device="cpu")
    assert list(rows) == [game.videos[0].path for game in games]


@pytest.mark.fault("C03", "P11")
def test_damaged_rows_are_extracted_again_before_they_are_opened(
    settings: ExtractSettings, tmp_path: Path
) -> None:
    games, folder = [make_game(tmp_path)], tmp_path / "features"
    (cache,) = cached_features(games, settings, features=folder, device="cpu").values()
    rows = np.array(cache.features)
    with cache.path.open("r+b") as stream:
        stream.seek(cache.header.offset + 500)
        stream.write(b"12345678")
    (repaired,) = cached_features(games, settings, features=folder, device="cpu").values()
    assert np.array_equal(repaired.features, rows)


@pytest.mark.fault("C03", "P11")
def test_only_a_damaged_segment_is_computed_again(settings: ExtractSettings, tmp_path: Path) -> None:
    game = make_game(tmp_path, pictures=120)
    run([game], settings, tmp_path)
    cache = opened(game, settings, tmp_path)
    undamaged = cache.path.read_bytes()
    damaged = bytearray(undamaged)
    damaged[cache.header.offset + 30 * 512] ^= 1  # row 30 is in the third segment of five
    cache.path.write_bytes(damaged)
    report = run([game], settings, tmp_path)
    assert (outcomes(report), report.videos[0].computed_segments) == (["extracted"], 1)
    assert cache.path.read_bytes() == undamaged


@pytest.mark.fault("C03")
@pytest.mark.parametrize("position", [100, -10])
def test_a_file_with_a_damaged_header_or_trailer_is_extracted_again(
    settings: ExtractSettings, tmp_path: Path, position: int
) -> None:
    game = make_game(tmp_path)
    run([game], settings, tmp_path)
    path = opened(game, settings, tmp_path).path
    undamaged = path.read_bytes()
    damaged = bytearray(undamaged)
    damaged[position] ^= 1
    path.write_bytes(damaged)
    assert outcomes(run([game], settings, tmp_path)) == ["extracted"]
    assert path.read_bytes() == undamaged


def test_the_flipped_view_holds_the_rows_of_the_mirrored_video(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    game, flipped = make_game(tmp_path), settings.model_copy(update={"flip": True})
    run([game], settings, tmp_path)
    run([game], flipped, tmp_path)
    plain, mirrored = (opened(game, s, tmp_path) for s in (settings, flipped))
    assert plain.path != mirrored.path
    timeline = open_timeline(game.videos[0].path, settings)
    frame = next(timeline.read_frames(range(1), decoder="cpu", device="cpu", stats=DecodeStats()))
    stack = torch.from_numpy(np.asarray(frame.luma)[:, ::-1].copy()).float().expand(1, 3, -1, -1) / 255
    with torch.no_grad():
        expected = functional.adaptive_avg_pool2d(tiny_encoder()(stack), (2, 2))[0].numpy()
    still = settings.model_copy(update={"flip": True, "stack": (0, 0, 0)})
    run([game], still, tmp_path)
    np.testing.assert_allclose(opened(game, still, tmp_path).features[0], expected, rtol=2e-3, atol=2e-4)


def test_pictures_of_another_size_are_scaled(settings: ExtractSettings, tmp_path: Path) -> None:
    small, large = make_game(tmp_path, "small"), make_game(tmp_path, "large", size=(192, 128))
    run([small, large], settings, tmp_path)
    rows = [opened(game, settings, tmp_path).features[:].astype(np.float32) for game in (small, large)]
    assert np.corrcoef(rows[0].ravel(), rows[1].ravel())[0, 1] > 0.95


@pytest.mark.parametrize(("segment_seconds", "batch"), [(1, 1), (60, 7)])
def test_batch_and_segment_sizes_do_not_change_the_rows(
    settings: ExtractSettings, tmp_path: Path, segment_seconds: int, batch: int
) -> None:
    game = make_game(tmp_path)
    run([game], settings, tmp_path)
    rows = opened(game, settings, tmp_path).features[:].astype(np.float32)
    changed = settings.model_copy(update={"segment_seconds": segment_seconds, "batch": batch})
    extract([game], changed, features=tmp_path / "again", device="cpu")
    (again,) = open_caches([game], changed, features=tmp_path / "again").values()
    np.testing.assert_allclose(again.features, rows, rtol=2e-3, atol=1e-4)


def test_concurrent_decoders_give_the_same_bytes_as_one(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = make_game(tmp_path, pictures=200)
    run([game], settings, tmp_path)
    whole = opened(game, settings, tmp_path).path.read_bytes()
    monkeypatch.setattr(segments_module, "_CPU_DECODERS", 3)
    extract([game], settings, features=tmp_path / "many", device="cpu")
    (many,) = open_caches([game], settings, features=tmp_path / "many").values()
    assert many.path.read_bytes() == whole


@pytest.mark.fault("V03", "P01", "P03")
def test_a_bad_video_does_not_stop_the_others(settings: ExtractSettings, tmp_path: Path) -> None:
    games = [make_game(tmp_path, name) for name in ("a", "b", "c")]
    games[0].videos[0].path.write_bytes(b"<!DOCTYPE html>")
    games[2].videos[0].path.unlink()
    with pytest.raises(DataError, match="Failed to extract 2 of 3 videos") as caught:
        run(games, settings, tmp_path)
    assert "a/1_720p.mkv" in str(caught.value)
    (rows,) = open_caches(games, settings, features=tmp_path / "features").values()
    document = read_json(rows.path.parent.parent / "report.json")
    assert [video["outcome"] for video in document["videos"]] == ["refused", "extracted", "refused"]


@pytest.mark.fault("P01")
def test_a_missing_video_is_a_missing_error(settings: ExtractSettings, tmp_path: Path) -> None:
    game = make_game(tmp_path)
    game.videos[0].path.unlink()
    with pytest.raises(MissingError, match="1_720p.mkv does not exist"):
        run([game], settings, tmp_path)


def video_with_hole(tmp_path: Path) -> Game:
    whole = media.write_video(tmp_path / "whole.mkv", 120, size=(96, 64), b_frames=0, keyframe_every=10)
    path = media.drop_packets(whole, tmp_path / "game/1_720p.mkv", keep=lambda n: not 40 <= n < 60)
    return Game("game", (Video(path, 1),), None)


@pytest.mark.fault("V05")
def test_a_video_with_a_hole_is_refused_before_it_is_decoded(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_module, "compute_segments", None)
    with pytest.raises(DataError, match=r"no picture for 0.84 s.*on_bad_video=degrade"):
        run([video_with_hole(tmp_path)], settings, tmp_path)


def test_a_video_with_a_hole_is_skipped_if_the_policy_is_skip(
    settings: ExtractSettings, tmp_path: Path
) -> None:
    games = [video_with_hole(tmp_path), make_game(tmp_path, "good")]
    with pytest.raises(PartialError, match="report.json"):
        run(games, settings.model_copy(update={"on_bad_video": "skip"}), tmp_path)
    assert len(open_caches(games, settings, features=tmp_path / "features")) == 1


@pytest.mark.fault("V05")
def test_a_hole_invalidates_only_its_own_rows_if_the_policy_is_degrade(
    settings: ExtractSettings, tmp_path: Path
) -> None:
    game, whole = video_with_hole(tmp_path), make_game(tmp_path, "good", 120, b_frames=0, keyframe_every=10)
    with pytest.raises(PartialError):
        run([game, whole], settings.model_copy(update={"on_bad_video": "degrade"}), tmp_path)
    cache, other = (opened(g, settings, tmp_path) for g in (game, whole))
    lost = [row for row in range(60) if {2 * row - 2, 2 * row, 2 * row + 2} & set(range(40, 60))]
    assert np.flatnonzero(~cache.valid).tolist() == lost
    assert np.array_equal(cache.features[cache.valid], other.features[cache.valid])
    assert (cache.header.attributes.missing, cache.header.attributes.damaged) == (10, 0)
    assert run([game], settings, tmp_path).videos[0].outcome == "kept"


def test_every_use_of_the_rows_of_a_video_with_a_hole_prints_a_warning(
    settings: ExtractSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    game, whole = video_with_hole(tmp_path), make_game(tmp_path, "good", 120, b_frames=0, keyframe_every=10)
    degrade = settings.model_copy(update={"on_bad_video": "degrade"})
    for _ in range(2):
        capsys.readouterr()
        cached_features([game, whole], degrade, features=tmp_path / "features", device="cpu")
        printed = " ".join("".join(capsys.readouterr()).split())
        assert printed.count("pictures 10 are missing and 0 damaged") == 1
        assert "good: of" not in printed


@pytest.mark.fault("V04", "P04")
def test_damaged_pictures_are_counted_and_their_rows_are_invalid(
    settings: ExtractSettings, tmp_path: Path
) -> None:
    game = make_game(tmp_path, pictures=200)
    media.flip_bytes(game.videos[0].path, 40, seed=3)
    with pytest.raises(DataError, match="damaged.*of .* pictures|pictures .* damaged|marked as damaged"):
        run([game], settings, tmp_path)
    with pytest.raises(PartialError):
        run([game], settings.model_copy(update={"on_bad_video": "degrade"}), tmp_path)
    cache = opened(game, settings, tmp_path)
    assert cache.header.attributes.missing + cache.header.attributes.damaged > 0
    assert 0 < cache.valid.sum() < len(cache)


@pytest.mark.fault("V06", "P06")
def test_a_first_picture_later_than_half_a_second_requires_a_time_origin(
    settings: ExtractSettings, tmp_path: Path
) -> None:
    game = make_game(tmp_path, start_ms=1280)
    with pytest.raises(DataError, match=r"first picture comes at 1.28 s.*time_origin=start"):
        run([game], settings, tmp_path)
    for origin, frames, first in (("start", 80, True), ("zero", 112, False)):
        explicit = settings.model_copy(update={"time_origin": origin})
        extract([game], explicit, features=tmp_path / origin, device="cpu")
        (cache,) = open_caches([game], explicit, features=tmp_path / origin).values()
        assert cache.num_frames == frames
        assert cache.valid[0] == first
        assert cache.valid[20:].all()


@pytest.mark.fault("V07", "P05")
def test_a_video_of_varying_rate_is_placed_on_the_clock_by_its_times(
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
def test_a_video_of_another_rate_is_placed_on_the_clock(
    settings: ExtractSettings, tmp_path: Path, fps: int
) -> None:
    game = make_game(tmp_path, pictures=2 * fps, fps=fps)
    run([game], settings, tmp_path)
    cache = opened(game, settings, tmp_path)
    assert abs(cache.num_frames - 50) <= 1
    assert cache.valid.all()


@pytest.mark.fault("V08", "P05")
def test_declared_picture_counts_are_never_used(settings: ExtractSettings, tmp_path: Path) -> None:
    games = [make_game(tmp_path, form, container=form) for form in ("mkv", "mp4")]
    run(games, settings, tmp_path)
    rows = [opened(game, settings, tmp_path) for game in games]
    assert len(rows[0]) == len(rows[1]) == 40
    assert np.array_equal(rows[0].features, rows[1].features)


@pytest.mark.fault("C09")
def test_non_finite_features_are_refused_with_their_time(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, float("nan"), row=13)
    with pytest.raises(DataError, match=r"non-finite values in 1 feature row at 00:01-00:01, in fp32"):
        run([make_game(tmp_path)], settings, tmp_path)
    assert not list(tmp_path.rglob("*.h5"))


@pytest.mark.fault("C09")
def test_features_beyond_float16_are_clamped_and_counted(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, -1e6, row=13)
    game = make_game(tmp_path)
    run([game], settings, tmp_path)
    cache = opened(game, settings, tmp_path)
    assert cache.header.attributes.clamped == 1
    assert cache.features[13, 0, 0, 0] == -65504
    assert np.isfinite(cache.features).all()


def spoil(monkeypatch: pytest.MonkeyPatch, value: float, *, row: int) -> None:
    """Make the encoder return `value` once, in the second segment."""
    publish = segments_module._publish

    def spoiled(work: Any, segment: int, values: np.ndarray, **options: Any) -> Any:
        if segment == 1:
            values[row - 12, 0, 0, 0] = value
        return publish(work, segment, values, **options)

    monkeypatch.setattr(segments_module, "_publish", spoiled)


@pytest.mark.fault("C10")
def test_a_resumed_extraction_keeps_its_precision_or_refuses(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = make_game(tmp_path)
    monkeypatch.setattr(video_module, "write_cache", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run([game], settings.model_copy(update={"precision": "bf16"}), tmp_path)
    monkeypatch.undo()
    with pytest.raises(SettingsError, match=r"computed in bf16, but this run asks for fp32"):
        run([game], settings, tmp_path)
    report = run([game], settings.model_copy(update={"precision": "auto"}), tmp_path)
    assert (report.videos[0].precision, report.videos[0].computed_segments) == ("bf16", 0)


def interrupted(*arguments: Any, **options: Any) -> None:
    raise KeyboardInterrupt


def test_parts_of_other_settings_are_not_reused(
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


def test_a_shard_that_does_not_exist_is_refused(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    games = [make_game(tmp_path)]
    with pytest.raises(SettingsError, match="Invalid shard 2/2: the index must be between 0 and 1"):
        run(games, settings, tmp_path, shard=(2, 2))
    monkeypatch.setenv("RANK", "4")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.raises(SettingsError, match="Invalid shard 4/1.*RANK and WORLD_SIZE"):
        run(games, settings, tmp_path)


def test_the_rank_under_torchrun_is_the_default_shard(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "3")
    games = [make_game(tmp_path, str(i), 30) for i in range(4)]
    report = run(games, settings, tmp_path)
    assert [video.game for video in report.videos] == ["1"]
    assert (report.folder / "report-1-of-3.json").exists()


@pytest.mark.fault("C02")
def test_a_lack_of_disk_space_is_reported_before_anything_is_written(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 40_000})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OutputError, match=r"needs 40,960 bytes .* but 40,000 are free"):
        run([make_game(tmp_path)], settings, tmp_path)
    assert not list(tmp_path.rglob("*.part"))


def test_a_plan_decodes_nothing_and_recognizes_existing_caches(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    games = [make_game(tmp_path, "cached"), make_game(tmp_path, "missing", 50)]
    run(games[:1], settings, tmp_path)
    monkeypatch.setattr("bas.extract.decode.timeline.read_frames", None)
    monkeypatch.setattr("bas.commands.data.extract._MEASURE_SECONDS", 0.01)
    table = plan_table(games, settings, features=tmp_path / "features", device="cpu")
    cached, missing, total = zip(*(column.cells for column in table.columns), strict=True)
    assert cached == ("cached", "1_720p.mkv", "40", "20,480", "cached")
    assert missing[2:4] == ("25", "12,800")
    assert float(missing[4]) >= 0
    assert total[:4] == ("all", "", "65", "33,280")


def test_a_plan_does_not_need_random_weights(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bas.commands.data.extract._MEASURE_SECONDS", 0.01)
    random = settings.model_copy(update={"weights": "random"})
    game = make_game(tmp_path)
    table = plan_table([game], random, features=tmp_path / "features", device="cpu", training=[game])
    assert "cached" not in list(table.columns[4].cells)
    assert not list(tmp_path.glob("features/**/*.safetensors"))


@pytest.mark.fault("T07")
def test_running_out_of_memory_is_reported_with_a_remedy(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(*arguments: Any, **options: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(run_module, "extract_video", out_of_memory)
    with pytest.raises(RunFailedError, match=r"--set extract.batch="):
        run([make_game(tmp_path)], settings, tmp_path)
