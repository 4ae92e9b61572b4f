"""Challenge submissions: valid zips pass and score the same officially; planted faults are refused or noted by name."""

from __future__ import annotations

import contextlib
import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from SoccerNet.Evaluation.ActionSpotting import evaluate as official
from SoccerNet.Evaluation.ActionSpotting import predictions2vector
from SoccerNet.Evaluation.utils import LoadJsonFromZip
from support.matches import GAME, OTHER_GAME, annotation, write_labels
from support.media import write_video

from bas.dataset import BALL_CLASSES, SOCCERNET_V2_CLASSES, open_dataset
from bas.dataset.splits import official_lists
from bas.errors import BasError, DataError, MissingError
from bas.evaluate.scoring.score import score
from bas.evaluate.submission.archive import pack, write_submission
from bas.evaluate.submission.check import check_submission
from bas.evaluate.submission.expected_games import expected_games
from bas.types import Game, Video

RESULTS = "results_spotting.json"
DICTIONARY = {label: index for index, label in enumerate(BALL_CLASSES)}
Documents = dict[str, dict[str, Any]]
Corrupt = Callable[[Documents], None]


@pytest.fixture(scope="module")
def games(tmp_path_factory: pytest.TempPathFactory) -> tuple[Game, ...]:
    """Two games of one video of 4 s."""
    video = write_video(tmp_path_factory.mktemp("video") / "720p.mp4", 100)
    return Game(GAME, (Video(video, 1),), None), Game(OTHER_GAME, (Video(video, 1),), None)


def prediction(position: Any = 1004, **changes: Any) -> dict[str, Any]:
    entry = annotation(position, team="left") | {"half": "1", "confidence": "0.5"} | changes
    return {key: value for key, value in entry.items() if key != "visibility"}


def valid_documents() -> Documents:
    entries = [prediction(), prediction(1004, label="SHOT"), prediction(2004, team="right"), prediction(3964)]
    return {
        game: {"UrlLocal": game, "predictions": [dict(entry) for entry in entries]}
        for game in (GAME, OTHER_GAME)
    }


def encoded(documents: Documents) -> dict[str, bytes]:
    return {game: json.dumps(document).encode() for game, document in documents.items()}


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def members(documents: Documents) -> dict[str, bytes]:
    return {f"{game}/{RESULTS}": content for game, content in encoded(documents).items()}


def refusal(path: Path, games: tuple[Game, ...], *, teams: bool | None = None) -> str:
    with pytest.raises(DataError) as caught:
        check_submission(path, games, BALL_CLASSES, teams=teams)
    return str(caught.value)


def test_a_valid_zip_passes_without_notes(tmp_path: Path, games: tuple[Game, ...]) -> None:
    path = archive(tmp_path / "a.zip", members(valid_documents()))
    assert check_submission(path, games, BALL_CLASSES, teams=True) == ()


def _first(change: dict[str, Any]) -> Corrupt:
    return lambda documents: documents[GAME]["predictions"][0].update(change)


def _without(key: str) -> Corrupt:
    return lambda documents: documents[GAME]["predictions"][0].pop(key)


FAULTS_INSIDE: dict[str, tuple[Corrupt, str]] = {
    "another game's file": (lambda d: d[GAME].update(UrlLocal=OTHER_GAME), "UrlLocal is"),
    "no list": (lambda d: d[GAME].pop("predictions"), "the list of predictions is missing"),
    "second half of one video": (_first({"half": "2"}), "half '2', but the game only has half 1"),
    "no half": (_without("half"), "half None"),
    "no position": (_without("position"), "position None is not a whole number of milliseconds"),
    "negative position": (
        _first({"position": "-40"}),
        "position '-40' is not a whole number of milliseconds",
    ),
    "position in fractions": (
        _first({"position": "1004.5"}),
        "position '1004.5' is not a whole number of milliseconds",
    ),
    "beyond the end": (
        _first({"position": "4444", "gameTime": "1 - 00:04"}),
        "position 4,444 ms is beyond the end of the video, 4,000 ms",
    ),
    "beyond every server": (
        _first({"position": "7200000", "gameTime": "1 - 120:00"}),
        "position 7,200,000 ms is beyond the 120 minutes",
    ),
    "lower-case label": (_first({"label": "pass"}), "unknown label 'pass' (did you mean PASS?)"),
    "no label": (_without("label"), "unknown label None"),
    "logit": (_first({"confidence": "2.5"}), "confidence '2.5' is not a number in [0, 1]"),
    "not a number": (_first({"confidence": "nan"}), "confidence 'nan' is not a number in [0, 1]"),
    "no confidence": (_without("confidence"), "confidence None is not a number in [0, 1]"),
    "home and away": (_first({"team": "home"}), "team 'home'; expected left or right"),
    "a team missing": (_without("team"), "no team in 1 of 8 predictions"),
    "another time": (
        _first({"gameTime": "1 - 00:03"}),
        "gameTime '1 - 00:03' contradicts half 1, position 1,004 ms (1 - 00:01)",
    ),
    "minutes without a zero": (
        _first({"gameTime": "1 - 0:1"}),
        "gameTime '1 - 0:1' is usually written '1 - 00:01'; no scorer reads it",
    ),
    "twice on a frame": (
        lambda d: d[GAME]["predictions"].append(prediction(1010, confidence="0.1")),
        "predictions[0] and [4] are of one class on one frame",
    ),
    "not an object": (
        lambda d: d[GAME]["predictions"].append("PASS"),
        "predictions[4]: is 'PASS', not an object",
    ),
}


READ_ANYWAY = {
    "another game's file", "second half of one video", "negative position", "beyond the end", "beyond every server",
    "logit", "not a number", "another time", "minutes without a zero", "twice on a frame",
}  # fmt: skip
"""Faults that no server fails on."""


@pytest.mark.fault("L11", "L14")
@pytest.mark.parametrize("fault", FAULTS_INSIDE)
def test_a_fault_inside_a_document_is_refused_or_noted_by_name(
    tmp_path: Path, games: tuple[Game, ...], fault: str
) -> None:
    corrupt, words = FAULTS_INSIDE[fault]
    documents = valid_documents()
    corrupt(documents)
    path = archive(tmp_path / "bad.zip", members(documents))
    if fault in READ_ANYWAY:
        (note,) = check_submission(path, games, BALL_CLASSES)
        assert words in note
        official_accepts(path)
    else:
        message = refusal(path, games)
        assert words in message
        assert message.count("\n  ") == 1
    with pytest.raises(DataError) as caught:  # our own zips have neither
        write_submission(tmp_path / "out" / "bad.zip", encoded(documents), games, BALL_CLASSES)
    assert words in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []


def official_accepts(path: Path) -> None:
    """Read every document of a zip as the official scorer does; it raises what a server would."""
    for game in (GAME, OTHER_GAME):
        document = LoadJsonFromZip(str(path), f"{game}/{RESULTS}")
        predictions2vector(document, num_classes=12, framerate=25, EVENT_DICTIONARY=DICTIONARY)


def _renamed(change: Callable[[str], str]) -> Callable[[Path], Path]:
    return lambda path: archive(
        path, {change(name): text for name, text in members(valid_documents()).items()}
    )


def _with(extra: dict[str, bytes]) -> Callable[[Path], Path]:
    return lambda path: archive(path, members(valid_documents()) | extra)


def _damaged(path: Path) -> Path:
    content = bytearray(archive(path, members(valid_documents())).read_bytes())
    content[content.index(b"UrlLocal") + 20] ^= 1
    path.write_bytes(content)
    return path


def _encrypted(path: Path) -> Path:
    import pyzipper

    with pyzipper.AESZipFile(path, "w", encryption=pyzipper.WZ_AES) as file:
        file.setpassword(b"secret")
        for name, content in members(valid_documents()).items():
            file.writestr(name, content)
    return path


def _backslashes(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members(valid_documents()).items():
            info = zipfile.ZipInfo(name)
            info.filename = name.replace("/", "\\")
            file.writestr(info, content)
    return path


def _repeated(path: Path) -> Path:
    archive(path, members(valid_documents()))
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr(f"{GAME}/{RESULTS}", encoded(valid_documents())[GAME])
    return path


def _text(content: bytes) -> Callable[[Path], Path]:
    return lambda path: archive(path, members(valid_documents()) | {f"{GAME}/{RESULTS}": content})


def _not_a_zip(path: Path) -> Path:
    path.write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(100))
    return path


def _truncated(path: Path) -> Path:
    content = archive(path, members(valid_documents())).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


FAULTS_OF_ARCHIVES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a folder around": (
        _renamed(lambda name: f"predictions/{name}"),
        "is inside predictions/, not at the root",
    ),
    "folders missing": (_renamed(lambda name: name.split("/", 2)[2]), "is missing its parent folders"),
    "another file name": (_renamed(lambda name: name.replace("spotting", "")), f"must be named {RESULTS}"),
    "a dot in front": (
        _renamed(lambda name: f"./{name}"),
        "starts with ./, which a server does not strip",
    ),
    "backslashes": (_backslashes, "has backslashes"),
    "out of the archive": (_with({"../../x": b""}), "points outside the archive"),
    "a game missing": (
        lambda path: archive(path, {f"{GAME}/{RESULTS}": encoded(valid_documents())[GAME]}),
        f"missing 1 of 2 games: {OTHER_GAME}",
    ),
    "damage": (_damaged, "is damaged in the archive: Bad CRC-32"),
    "encryption": (_encrypted, "a server cannot read"),
    "truncated JSON": (_text(b'{"predictions": ['), "Invalid JSON in"),
    "a byte order mark": (_text(b"\xef\xbb\xbf" + encoded(valid_documents())[GAME]), "Unexpected UTF-8 BOM"),
    "another kind of archive": (_not_a_zip, "is not a zip archive"),
    "half of a zip": (_truncated, "is truncated or damaged"),
}


ODDITIES_OF_ARCHIVES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a game too many": (
        _with({f"league/season/game/{RESULTS}": b"{}"}),
        "1 unexpected game, not in the split",
    ),
    "stray files": (_with({"__MACOSX/x": b""}), "a server does not read 1 other file: __MACOSX/x"),
    "twice the same path": (_repeated, "occurs 2 times in the archive"),
    "NaN": (_text(b'{"predictions": [], "score": NaN}'), "NaN is not valid JSON"),
    "a key twice": (_text(b'{"predictions": [], "predictions": []}'), "duplicate key 'predictions'"),
}


@pytest.mark.parametrize("oddity", ODDITIES_OF_ARCHIVES)
def test_what_a_server_passes_over_is_noted(tmp_path: Path, games: tuple[Game, ...], oddity: str) -> None:
    make, words = ODDITIES_OF_ARCHIVES[oddity]
    path = make(tmp_path / "odd.zip")
    assert any(words in note for note in check_submission(path, games, BALL_CLASSES))
    official_accepts(path)


def test_one_kind_of_oddity_in_many_games_is_one_note(tmp_path: Path, games: tuple[Game, ...]) -> None:
    documents = valid_documents()
    for document in documents.values():
        for entry in document["predictions"]:
            entry.update(gameTime="1 - 0:1")
    (note,) = check_submission(archive(tmp_path / "a.zip", members(documents)), games, BALL_CLASSES)
    assert "(and 7 more of this kind in 2 games)" in note


def test_a_zip_of_soccernet_v2_is_recognized_by_its_games(tmp_path: Path) -> None:
    ids = official_lists("spotting")["challenge"]
    entry = prediction(5_000, label="Corner", half="2", gameTime="2 - 0:5")
    del entry["team"]
    document = json.dumps({"predictions": [entry]}).encode()
    path = archive(tmp_path / "v2.zip", {f"{game}/{RESULTS}": document for game in ids})
    expected = expected_games(path, tmp_path / "none", split=None)
    assert (expected.split, len(expected.games)) == ("challenge", 50)
    assert expected.classes == SOCCERNET_V2_CLASSES
    notes = check_submission(path, expected.games, expected.classes)
    assert not any("has a team" in note or "unknown label" in note for note in notes)


@pytest.mark.fault("L13")
@pytest.mark.parametrize("fault", FAULTS_OF_ARCHIVES)
def test_a_fault_of_the_archive_is_refused_by_name(
    tmp_path: Path, games: tuple[Game, ...], fault: str
) -> None:
    corrupt, words = FAULTS_OF_ARCHIVES[fault]
    assert words in refusal(corrupt(tmp_path / "bad.zip"), games)


def test_faults_of_one_kind_are_named_once_and_counted(tmp_path: Path, games: tuple[Game, ...]) -> None:
    documents = valid_documents()
    for entry in documents[GAME]["predictions"]:
        entry.update(half="2", label="PASSS")
    path = archive(tmp_path / "bad.zip", members(documents))
    assert refusal(path, games).count("(and 3 more of this kind)") == 1
    with pytest.raises(DataError) as caught:
        check_submission(path, games, BALL_CLASSES, strict=True)
    assert str(caught.value).count("(and 3 more of this kind)") == 2


def test_teams_are_required_if_the_model_predicts_them(tmp_path: Path, games: tuple[Game, ...]) -> None:
    documents = valid_documents()
    for document in documents.values():
        for entry in document["predictions"]:
            del entry["team"]
    path = archive(tmp_path / "a.zip", members(documents))
    assert "the server of 2025 fails" in check_submission(path, games, BALL_CLASSES)[0]
    assert "no team; expected left or right" in refusal(path, games, teams=True)


@pytest.mark.fault("L12")
def test_an_empty_list_is_legal_but_noted(tmp_path: Path, games: tuple[Game, ...]) -> None:
    documents = valid_documents()
    documents[OTHER_GAME]["predictions"] = []
    notes = check_submission(archive(tmp_path / "a.zip", members(documents)), games, BALL_CLASSES)
    assert notes == (f"{OTHER_GAME} has an empty list of predictions",)


def test_games_of_unknown_length_are_noted(tmp_path: Path, games: tuple[Game, ...]) -> None:
    absent = Game(OTHER_GAME, (Video(tmp_path / "absent.mp4", 1),), None)
    documents = valid_documents()
    documents[OTHER_GAME]["predictions"] = [prediction(6_000_000, gameTime="1 - 100:00")]
    path = archive(tmp_path / "a.zip", members(documents))
    (note,) = check_submission(path, (games[0], absent), BALL_CLASSES)
    assert (
        f"no videos of 1 of 2 games, so positions are checked only against 120 minutes: {OTHER_GAME}" in note
    )
    assert any("the end of the video, 4,000 ms" in n for n in check_submission(path, games, BALL_CLASSES))


def of_games(path: Path, *games: str, at: int = 1004) -> Path:
    entry = prediction(at, gameTime=f"1 - {at // 60_000:02d}:{at // 1000 % 60:02d}")
    return archive(
        path, {f"{game}/{RESULTS}": json.dumps({"predictions": [entry]}).encode() for game in games}
    )


def test_a_zip_is_checked_against_the_split_that_its_games_belong_to(tmp_path: Path) -> None:
    one, other = official_lists("spotting-ball")["test"]
    write_labels(tmp_path / "data" / one / "Labels-ball.json", [annotation()])
    write_video(tmp_path / "data" / one / "224p.mp4", 100)
    for data in (tmp_path / "data", tmp_path / "none"):
        expected = expected_games(of_games(tmp_path / "a.zip", one), data, split=None)
        assert (expected.split, [game.id for game in expected.games]) == ("test", [one, other])
        assert "missing 1 of 2 games" in refusal(tmp_path / "a.zip", expected.games)
    late = expected_games(
        of_games(tmp_path / "late.zip", one, other, at=6_000_000), tmp_path / "data", split=None
    )
    notes = check_submission(tmp_path / "late.zip", late.games, BALL_CLASSES)
    assert any("beyond the end of the video, 4,000 ms" in note for note in notes)


def test_a_zip_of_no_known_split_is_checked_against_its_own_games(tmp_path: Path) -> None:
    path = of_games(tmp_path / "a.zip", GAME)
    expected = expected_games(path, tmp_path / "none", split=None)
    assert [game.id for game in expected.games] == [GAME]
    assert "so missing games cannot be detected" in expected.notes[0]
    (note,) = check_submission(path, expected.games, expected.classes)
    assert "checked only against 120 minutes, and halves only against 1 and 2" in note
    with pytest.raises(MissingError, match=r"Unknown split 'tset' \(did you mean test\?\)"):
        expected_games(path, tmp_path / "none", split="tset")


@pytest.mark.fault("L13")
def test_a_faulty_zip_does_not_replace_the_existing_one(tmp_path: Path, games: tuple[Game, ...]) -> None:
    path = tmp_path / "out.zip"
    write_submission(path, encoded(valid_documents()), games, BALL_CLASSES)
    before = path.read_bytes()
    with pytest.raises(DataError, match="missing 1 of 2 games") as refused:
        write_submission(path, {GAME: encoded(valid_documents())[GAME]}, games, BALL_CLASSES)
    assert f"misread {path}:" in str(refused.value)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["out.zip"]


def test_the_bytes_of_the_zip_depend_only_on_the_predictions() -> None:
    documents = encoded(valid_documents())
    assert pack(documents) == pack(dict(reversed(documents.items())))


def test_a_nonexistent_zip_is_missing(tmp_path: Path, games: tuple[Game, ...]) -> None:
    with pytest.raises(MissingError, match="does not exist or is not a file"):
        check_submission(tmp_path / "gone.zip", games, BALL_CLASSES)


@pytest.mark.fault("L13")
def test_our_zip_has_exactly_the_same_score_in_the_official_scorer(
    match_folders: tuple[Path, Path], tmp_path: Path
) -> None:
    labels, results = match_folders
    chosen = open_dataset(labels).split("test", need_videos=False)
    documents = {}
    for game in chosen:
        document = json.loads((results / game.id / RESULTS).read_text())
        # One golden document repeats predictions on a frame, which our writer never does: keep the last of each.
        kept = {}
        for entry in document["predictions"]:
            kept[int(entry["position"]) // 40, entry["label"], entry.get("team")] = entry
        documents[game.id] = json.dumps(document | {"predictions": list(kept.values())}).encode()
    path = tmp_path / "results.zip"
    write_submission(path, documents, chosen, BALL_CLASSES)
    expected = official(
        str(labels),
        str(path),
        split="test",
        framerate=25,
        metric="at1",
        label_files="Labels-ball.json",
        dataset="Ball",
        EVENT_DICTIONARY=DICTIONARY,
    )
    assert score(labels, path).mean_ap == expected["a_mAP"]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_a_mutated_zip_is_accepted_or_refused_but_never_crashes_the_check(
    games: tuple[Game, ...], tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    rng = random.Random(seed)
    content = bytearray(pack(encoded(valid_documents())))
    for _ in range(rng.randrange(1, 6)):
        content[rng.randrange(len(content))] = rng.randrange(256)
    path = tmp_path_factory.getbasetemp() / "mutated.zip"
    path.write_bytes(io.BytesIO(content[: rng.randrange(1, len(content) + 1)]).getvalue())
    with contextlib.suppress(BasError):
        check_submission(path, games, BALL_CLASSES)


def test_a_game_without_videos_may_have_both_halves(tmp_path: Path) -> None:
    write_labels(tmp_path / GAME / "Labels-ball.json", [annotation(half=2)])
    chosen = open_dataset(tmp_path).split("all", need_videos=False)
    document = {"predictions": [prediction(half="2", gameTime="2 - 00:01", team="left")]}
    path = archive(tmp_path / "a.zip", {f"{GAME}/{RESULTS}": json.dumps(document).encode()})
    (note,) = check_submission(path, chosen, ("PASS", "DRIVE"))
    assert "no videos of 1 of 1 game" in note
