from __future__ import annotations

import errno
from fractions import Fraction
from pathlib import Path
from typing import Any

import media
import pytest
from matches import annotation, touch, write_labels
from SoccerNet.utils import getListGames

from bas.dataset import Findings, conclude, examine, show_findings, write_manifest
from bas.dataset.doctor import Suspicion
from bas.doctor import examine_folder
from bas.errors import DataError, MissingError

TRAIN = getListGames("train", task="spotting-ball")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number, game in enumerate(TRAIN):
        media.write_video(tmp_path / game / "224p.mp4", 50 + number)
        entries = [annotation(40), annotation(400, "DRIVE"), annotation(800, "DRIVE", team="right")]
        write_labels(tmp_path / game / "Labels-ball.json", entries)
    write_manifest(tmp_path, [path for path in tmp_path.rglob("*") if path.is_file()])
    return tmp_path


def wrong(findings: Findings) -> list[tuple[str, str]]:
    return [(one.where, one.what) for one in findings.suspicions if one.wrong]


def notes(findings: Findings) -> list[tuple[str, str]]:
    return [(one.where, one.what) for one in findings.suspicions if not one.wrong]


def test_a_sound_folder_has_nothing_suspicious(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    findings = examine(root)
    assert findings.suspicions == ()
    show_findings(findings)
    printed = capsys.readouterr().out
    for text in (
        "one video a game",
        "4 games, 4 videos",
        "224p.mp4 and Labels-ball.json",
        "Nothing is wrong",
    ):
        assert text in printed


def test_facts_of_a_game_are_those_of_its_files(root: Path) -> None:
    game = examine(root).games[1]
    (video,) = game.videos
    assert (game.id, game.splits) == (TRAIN[1], ("train",))
    assert (video.length_ms, video.fps, video.width, video.height, video.codec) == (
        2040,
        Fraction(25),
        128,
        96,
        "h264",
    )
    assert game.counts == {"PASS": 1, "DRIVE": 2}


def test_the_small_videos_are_looked_at_where_there_are_no_others(root: Path) -> None:
    assert examine(root).dataset.games[0].videos[0].path.name == "224p.mp4"
    assert len(wrong(examine(root, video="720p"))) == 4


def test_every_fault_is_found_and_the_look_goes_on(root: Path) -> None:
    (root / TRAIN[0] / "224p.mp4").unlink()
    media.cut(root / TRAIN[1] / "224p.mp4", 0.5)
    write_labels(root / TRAIN[2] / "Labels-ball.json", [annotation(label="pass"), annotation(60_000)])
    found = wrong(examine(root))
    for game, text in [
        (TRAIN[0], "expected 224p.mp4"),
        (TRAIN[1], "moov"),
        (TRAIN[1], "bytes instead of"),
        (TRAIN[2], "did you mean PASS"),
        (TRAIN[2], "(+57.9 s)"),
        ("manifest", "not there (1)"),
    ]:
        assert any(where == game and text in what for where, what in found), (game, text)
    assert all(where != TRAIN[3] for where, _ in found)


def test_another_hash_of_the_same_size_is_found(root: Path) -> None:
    path = root / TRAIN[0] / "Labels-ball.json"
    path.write_text(path.read_text().replace('"1 - 00:00"', '"1 - 00:01"', 1))
    ((where, what),) = wrong(examine(root))
    assert (where, "another SHA-256" in what) == (TRAIN[0], True)


def test_what_is_only_unusual_is_a_note(root: Path) -> None:
    (root / "manifest.json").unlink()
    write_labels(root / TRAIN[0] / "Labels-ball.json", [annotation(40, team="home")], url="a/b/other")
    (root / TRAIN[1] / "Labels-ball.json").unlink()
    (root / TRAIN[2] / "Labels-ball.json").write_text('{"annotations": []}')
    touch(root, "test.zip")
    media.write_video(root / "league/season/game" / "224p.mp4", 20)
    for file in (root / TRAIN[3]).iterdir():
        file.unlink()
    findings = examine(root)
    assert wrong(findings) == []
    found = "\n".join(f"{where}: {what}" for where, what in notes(findings))
    for text in (
        "split train: 1 of 4 games are not there",
        "games in no split (1): league/season/game",
        "test.zip may hold more games",
        "says that it is of 'other'",
        "home and away",
        "no labels",
        "holds no action",
    ):
        assert text in found


def test_an_own_split_with_an_absent_game_is_wrong(tmp_path: Path) -> None:
    media.write_video(tmp_path / "derby.mkv", 20)
    (tmp_path / "splits.yaml").write_text("train: [derby, final]\n")
    assert wrong(examine(tmp_path)) == [("split train", "1 of 2 games are not there: final")]


def test_a_single_video_is_examined(tmp_path: Path) -> None:
    findings = examine(media.write_video(tmp_path / "derby.mkv", 20))
    assert wrong(findings) == []
    show_findings(findings)


def test_problems_of_a_video_are_faults_and_its_oddities_notes(tmp_path: Path) -> None:
    media.write_video(tmp_path / "late.mkv", 20, start_ms=1280)
    media.write_two_streams(tmp_path / "two.mkv", 20, sizes=[(64, 48), (128, 96)])
    findings = examine(tmp_path)
    assert wrong(findings) == [("late", "late.mkv: the first picture comes at 1.28 s")]
    assert ("two", "two.mkv: 2 video streams; took number 1, 128 x 96") in notes(findings)


def test_an_empty_folder_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="holds no match"):
        examine(tmp_path)


def test_the_verdict_groups_places_and_names_what_is_wrong_first(capsys: pytest.CaptureFixture[str]) -> None:
    suspicions = [Suspicion(name, "odd", wrong=False) for name in "abc"] + [Suspicion("d", "bad", wrong=True)]
    with pytest.raises(DataError, match="Faults in data: 1"):
        conclude(suspicions, what="data")
    assert capsys.readouterr().out == "WRONG d: bad\nnote  a and 2 more: odd\n"


def test_caches_among_matches_do_not_hide_the_matches(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spots = root / TRAIN[0] / "224p.spots" / "features" / "key"
    spots.mkdir(parents=True)
    (spots / "224p.h5").write_bytes(b"rows of a prediction")
    rendered = root / TRAIN[0] / "224p.mp4.spots" / "rendered" / "224p.mp4"
    rendered.parent.mkdir(parents=True)
    rendered.write_bytes(b"a copy with events drawn into it")
    examine_folder(root, video=None)
    assert "4 games, 4 videos" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"Faults in .*features: 1"):
        examine_folder(spots.parent, video=None)
    with pytest.raises(MissingError, match="no match"):
        examine_folder(_empty(root / "empty"), video=None)


def test_files_that_may_not_be_read_are_named_and_passed_over(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels, real = root / TRAIN[1] / "Labels-ball.json", Path.open

    def guarded(path: Path, *arguments: Any, **named: Any) -> Any:
        if path == labels:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", guarded)
    assert wrong(examine(root)) == [(TRAIN[1], f"{labels} may not be read: Permission denied.")]


def _empty(folder: Path) -> Path:
    folder.mkdir()
    return folder
