from __future__ import annotations

import errno
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from SoccerNet.utils import getListGames
from support import media
from support.caches import cache_attributes
from support.matches import annotation, touch, write_labels

from bas import console
from bas.commands.data.doctor import _games_table, examine_folder, print_findings, print_verdict
from bas.dataset import FolderReport, examine, write_manifest
from bas.dataset.checks import Finding, GameFacts
from bas.errors import DataError, MissingError
from bas.extract.cache.parts import hash_rows
from bas.extract.cache.writer import write_cache
from bas.files import locked

TRAIN = getListGames("train", task="spotting-ball")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number, game in enumerate(TRAIN):
        media.write_video(tmp_path / game / "224p.mp4", 50 + number, size=(128, 72))
        entries = [annotation(40), annotation(400, "DRIVE"), annotation(800, "DRIVE", team="right")]
        write_labels(tmp_path / game / "Labels-ball.json", entries)
    write_manifest(tmp_path, [path for path in tmp_path.rglob("*") if path.is_file()])
    return tmp_path


def errors(report: FolderReport) -> list[tuple[str, str]]:
    return [(one.location, one.message) for one in report.findings if one.severity == "error"]


def notes(report: FolderReport) -> list[tuple[str, str]]:
    return [(one.location, one.message) for one in report.findings if one.severity == "note"]


def test_a_valid_folder_has_no_findings(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = examine(root)
    assert report.findings == ()
    print_findings(report)
    printed = capsys.readouterr().out
    for text in (
        "one video a match",
        "4 matches, 4 videos",
        "224p.mp4 and Labels-ball.json",
        "No errors",
    ):
        assert text in printed


def test_the_report_has_the_properties_of_each_game(root: Path) -> None:
    game = examine(root).games[1]
    (video,) = game.videos
    assert (game.id, game.splits) == (TRAIN[1], ("train",))
    assert (video.length_ms, video.fps, video.width, video.height, video.codec) == (
        2040,
        Fraction(25),
        128,
        72,
        "h264",
    )
    assert game.counts == {"PASS": 1, "DRIVE": 2}


def test_the_224p_videos_are_checked_where_there_are_no_others(root: Path) -> None:
    assert examine(root).dataset.games[0].videos[0].path.name == "224p.mp4"
    assert len(errors(examine(root, video="720p"))) == 4


def test_every_error_is_found_and_the_check_continues(root: Path) -> None:
    (root / TRAIN[0] / "224p.mp4").unlink()
    media.truncate(root / TRAIN[1] / "224p.mp4", 0.5)
    write_labels(root / TRAIN[2] / "Labels-ball.json", [annotation(label="pass"), annotation(60_000)])
    found = errors(examine(root))
    for game, text in [
        (TRAIN[0], "expected 224p.mp4"),
        (TRAIN[1], "moov"),
        (TRAIN[1], "bytes instead of the"),
        (TRAIN[2], "did you mean PASS"),
        (TRAIN[2], "(+57.9 s)"),
        ("manifest", "files that are missing (1)"),
    ]:
        assert any(location == game and text in message for location, message in found), (game, text)
    assert all(location != TRAIN[3] for location, _ in found)


def test_a_changed_file_of_the_same_size_is_found(root: Path) -> None:
    path = root / TRAIN[0] / "Labels-ball.json"
    path.write_text(path.read_text().replace('"1 - 00:00"', '"1 - 00:01"', 1))
    ((location, message),) = errors(examine(root))
    assert (location, "not the SHA-256" in message) == (TRAIN[0], True)


def test_harmless_oddities_are_notes(root: Path) -> None:
    (root / "manifest.json").unlink()
    write_labels(root / TRAIN[0] / "Labels-ball.json", [annotation(40, team="home")], url="a/b/other")
    (root / TRAIN[1] / "Labels-ball.json").unlink()
    (root / TRAIN[2] / "Labels-ball.json").write_text('{"annotations": []}')
    touch(root, "test.zip")
    media.write_video(root / "league/season/game" / "224p.mp4", 20)
    for file in (root / TRAIN[3]).iterdir():
        file.unlink()
    report = examine(root)
    assert errors(report) == []
    found = "\n".join(f"{location}: {message}" for location, message in notes(report))
    for text in (
        "split train: missing 1 of 4 matches",
        "matches in no split (1): league/season/game",
        "test.zip may contain more matches; unpack first",
        "is labeled as 'other'",
        "home and away",
        "no labels",
        "contains no action",
    ):
        assert text in found


def test_a_missing_game_of_a_custom_split_is_an_error(tmp_path: Path) -> None:
    media.write_video(tmp_path / "derby.mkv", 20)
    (tmp_path / "splits.yaml").write_text("train: [derby, final]\n")
    assert errors(examine(tmp_path)) == [("split train", "missing 1 of 2 matches: final")]


def test_a_single_video_is_examined(tmp_path: Path) -> None:
    report = examine(media.write_video(tmp_path / "derby.mkv", 20))
    assert errors(report) == []
    print_findings(report)


def test_video_problems_are_errors_and_oddities_are_notes(tmp_path: Path) -> None:
    media.write_video(tmp_path / "late.mkv", 20, start_ms=1280)
    media.write_two_streams(tmp_path / "two.mkv", 20, sizes=[(64, 48), (128, 96)])
    report = examine(tmp_path)
    assert errors(report) == [("late", "late.mkv: the first picture comes at 1.28 s")]
    assert ("two", "two.mkv: 2 video streams; using stream 1, 128 x 96") in notes(report)


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("square.mkv", {"size": (128, 96)}, ["shown as 128 x 96 (4:3); models see them squeezed into 16:9"]),
        ("wide.mp4", {"size": (88, 144), "pixel_aspect": Fraction(32, 11)}, []),
        (
            "phone.mp4",
            {"size": (128, 72), "turn": (270, False, False)},
            [
                "turned by 90 degrees, as players show them",
                "shown as 72 x 128 (9:16); models see them squeezed",
            ],
        ),
    ],
)
def test_pictures_of_another_shape_than_the_models_are_noted(
    tmp_path: Path, name: str, options: dict[str, Any], expected: list[str]
) -> None:
    report = examine(media.write_video(tmp_path / name, 20, **options))
    found = [text for _, text in notes(report) if "pictures are" in text]
    assert len(found) == len(expected), found
    for text, part in zip(found, expected, strict=True):
        assert part in text


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="holds no match"):
        examine(tmp_path)


def test_a_folder_of_labels_without_videos_is_no_error(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "manifest.json").unlink()
    for video in root.rglob("*.mp4"):
        video.unlink()
    examine_folder(root, video=None)
    printed = capsys.readouterr().out
    assert printed.count("labels without videos") == 1
    assert "No errors" in printed


def test_many_matches_that_lack_the_same_are_one_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "manifest.json").unlink()
    for game in TRAIN[1:]:
        (root / game / "224p.mp4").unlink()
    with pytest.raises(DataError, match="3 errors"):
        examine_folder(root, video="224p")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("ERROR")]
    expected = "expected 224p.mp4; the folder contains Labels-ball.json. Download or copy 224p.mp4 into it."
    assert lines == [f"ERROR {TRAIN[1]} and 2 more: {expected}"]


def test_a_video_of_another_name_is_no_folder_of_labels(root: Path) -> None:
    for video in root.rglob("*.mp4"):
        video.rename(video.with_name("full.mp4"))
    assert any("expected 720p.mp4; the folder contains" in text for _, text in errors(examine(root)))


def test_one_contradicting_game_time_keeps_the_actions_of_its_file(root: Path) -> None:
    (root / "manifest.json").unlink()
    entries = [annotation(40), annotation(400, "DRIVE", gameTime="1 - 00:31"), annotation(800, "DRIVE")]
    write_labels(root / TRAIN[0] / "Labels-ball.json", entries)
    report = examine(root)
    assert errors(report) == []
    assert report.games[0].counts == {"PASS": 1, "DRIVE": 2}
    assert any("with another gameTime" in text for game, text in notes(report) if game == TRAIN[0])


@pytest.mark.fault("C01")
@pytest.mark.parametrize("finished", [True, False])
def test_a_half_extracted_match_is_an_error_among_caches(
    tmp_path: Path, finished: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "key" / "league"
    parts = touch(folder / "two.parts", "00000.part")
    if finished:
        _write_cache(folder / "one.h5")
    with pytest.raises(DataError, match="1 error"):
        examine_folder(tmp_path, video=None)
    printed = capsys.readouterr().out
    assert f"ERROR {folder / 'two.h5'}: extraction is unfinished" in printed
    assert f"{int(finished)} cache" in printed
    with locked(folder / "two.lock", wait=True):
        examine_folder(tmp_path, video=None)  # being extracted
    assert "note  " in capsys.readouterr().out
    (parts / "00000.part").unlink()
    _write_cache(folder / "two.h5")  # parts that a kill left behind a finished cache
    examine_folder(tmp_path, video=None)


def _write_cache(path: Path) -> None:
    rows = np.zeros((2, 1, 1, 1), "<f2")
    write_cache(
        path,
        cache_attributes(num_frames=4, segment_rows=2),
        row_shape=rows.shape[1:],
        pts=np.arange(4),
        valid=np.ones(2, bool),
        segment_sha256=(hash_rows(rows),),
        segments=iter([rows]),
    )


def test_more_games_than_a_table_holds_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    games = [GameFacts(f"g{number}", (), (), None) for number in range(120)]
    console.show(_games_table(games))
    printed = capsys.readouterr().out
    assert "g99" in printed
    assert "g100" not in printed
    assert "and 20 more" in printed


def test_the_verdict_groups_locations_and_prints_errors_first(capsys: pytest.CaptureFixture[str]) -> None:
    findings = [Finding(name, "odd", severity="note") for name in "abc"]
    findings += [Finding("d", "bad", severity="error")]
    with pytest.raises(DataError, match="1 error in data"):
        print_verdict(findings, what="data")
    assert capsys.readouterr().out == "ERROR d: bad\nnote  a and 2 more: odd\n"


def test_caches_among_matches_do_not_hide_the_matches(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spots = root / TRAIN[0] / "224p.spots" / "features" / "key"
    spots.mkdir(parents=True)
    (spots / "224p.h5").write_bytes(b"rows of a prediction")
    rendered = root / TRAIN[0] / "224p.mp4.spots" / "rendered" / "224p.mp4"
    rendered.parent.mkdir(parents=True)
    rendered.write_bytes(b"a copy with events drawn into it")
    examine_folder(root, video=None)
    assert "4 matches, 4 videos" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"1 error in .*features"):
        examine_folder(spots.parent, video=None)
    with pytest.raises(MissingError, match="no match"):
        examine_folder(_empty(root / "empty"), video=None)


def test_unreadable_files_are_reported_and_skipped(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels, real = root / TRAIN[1] / "Labels-ball.json", os.open

    def guarded(path: Any, *arguments: Any, **named: Any) -> int:
        if path == labels:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *arguments, **named)

    monkeypatch.setattr("os.open", guarded)
    assert errors(examine(root)) == [(TRAIN[1], f"Cannot read {labels}: Permission denied.")]


def _empty(folder: Path) -> Path:
    folder.mkdir()
    return folder
