"""Submissions: a sound zip is written once and alike; a fault of any kind keeps it from being written."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from bas.errors import DataError
from bas.evaluate.exports import csv_text, osl_document, srt_text
from bas.evaluate.score import score
from bas.evaluate.soccernet import results_document
from bas.evaluate.submission import Wanted, faults, require_sound, write_submission
from bas.types import Detection, Video

_GAMES = ("england_efl/2019-2020/a - b", "england_efl/2019-2020/c - d")
_WANTED = Wanted({game: [1] for game in _GAMES}, ("PASS", "SHOT"), teams=True)
_FPS = Fraction(25)


def _documents() -> dict[str, dict[str, Any]]:
    events = [Detection(100, "PASS", 0.9, "left"), Detection(2000, "SHOT", 0.25, "right")]
    return {game: results_document(game, {1: events}, classes=_WANTED.classes, fps=_FPS) for game in _GAMES}


def _zip(
    documents: dict[str, Any], *, names: Callable[[str], str] = str, extra: tuple[str, ...] = ()
) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for game, document in documents.items():
            archive.writestr(names(f"{game}/results_spotting.json"), json.dumps(document))
        for name in extra:
            archive.writestr(name, "x")
    return memory.getvalue()


def _with_entry(**changes: Any) -> bytes:
    documents = _documents()
    documents[_GAMES[0]]["predictions"][1] |= changes
    return _zip(documents)


def _without_key() -> bytes:
    documents = _documents()
    del documents[_GAMES[0]]["predictions"][0]["half"]
    return _zip(documents)


def _twice() -> bytes:
    documents = _documents()
    documents[_GAMES[0]]["predictions"] *= 2
    return _zip(documents)


def _damaged() -> bytes:
    content = bytearray(_zip(_documents()))
    content[120] ^= 0xFF
    return bytes(content)


_FAULTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "a folder around it": (lambda: _zip(_documents(), names="out/{}".format), "out, stands around the matches"),
    "a missing match": (lambda: _zip(dict(list(_documents().items())[:1])), "c - d/results_spotting.json is missing"),
    "a file too many": (lambda: _zip(_documents(), extra=("notes.txt",)), "notes.txt does not belong"),
    "a half that is not there": (lambda: _with_entry(half="2"), "half '2' is none of this match"),
    "an unknown label": (lambda: _with_entry(label="Shot"), "label 'Shot' is none of the 2 classes"),
    "a confidence above 1": (lambda: _with_entry(confidence="7.5"), r"confidence '7.5' is not in \[0, 1\]"),
    "a confidence that is no number": (lambda: _with_entry(confidence="NaN"), "confidence 'NaN' is not in"),
    "a position of no half": (lambda: _with_entry(position="-40"), "position '-40' is no time"),
    "a time of another position": (lambda: _with_entry(gameTime="1 - 05:00"), "gameTime '1 - 05:00' is not that of"),
    "a team that is no side": (lambda: _with_entry(team="home"), "team 'home' is neither left nor right"),
    "a key that lacks": (_without_key, "it lacks half"),
    "an entry twice": (_twice, "stands there twice"),
    "another match's name": (lambda: _zip({**_documents(), _GAMES[0]: _documents()[_GAMES[1]]}), "UrlLocal is"),
    "no list": (lambda: _zip({**_documents(), _GAMES[0]: {"UrlLocal": _GAMES[0]}}), "no list 'predictions'"),
    "a damaged file": (_damaged, "damaged|not strict JSON|cannot be opened"),
    "no zip": (lambda: b"PK nothing", "cannot be opened as a zip"),
}  # fmt: skip


@pytest.mark.parametrize("name", _FAULTS)
def test_every_fault_is_named(name: str) -> None:
    make, words = _FAULTS[name]
    with pytest.raises(DataError, match=words):
        require_sound(make(), _WANTED, source="it.zip")


def test_a_sound_submission_is_written_to_the_same_bytes_and_read_by_the_scorer(tmp_path: Path) -> None:
    one, other = tmp_path / "one.zip", tmp_path / "other.zip"
    write_submission(one, _documents(), _WANTED)
    write_submission(other, dict(reversed(_documents().items())), _WANTED)
    assert one.read_bytes() == other.read_bytes()
    assert not faults(one.read_bytes(), _WANTED)
    for game in _GAMES:
        folder = tmp_path / "labels" / game
        folder.mkdir(parents=True)
        annotations = [{"gameTime": "1 - 00:04", "position": "4000", "label": "PASS", "team": "left"}]
        (folder / "Labels-ball.json").write_text(json.dumps({"annotations": annotations}))
    assert score(tmp_path / "labels", one, classes=_WANTED.classes).rows[0].ap == 1.0


def test_a_bad_submission_is_not_written(tmp_path: Path) -> None:
    documents = _documents()
    documents[_GAMES[0]]["predictions"][0]["label"] = "pass"
    path = tmp_path / "bad.zip"
    path.write_bytes(b"the last one")
    with pytest.raises(DataError, match="1 faults"):
        write_submission(path, documents, _WANTED)
    assert path.read_bytes() == b"the last one"


def test_events_in_other_forms() -> None:
    events = {
        1: [Detection(100, "PASS", 0.9, "left"), Detection(110, "SHOT", 0.05), Detection(120, "SHOT", 0.5)]
    }
    lines = csv_text(events, fps=_FPS).splitlines()
    assert lines[0] == "half,position_ms,time,frame,label,team,confidence"
    assert lines[1] == "1,4004,00:04,100,PASS,left,0.9000"
    assert len(lines) == 4
    subtitles = srt_text(events[1], fps=_FPS)
    assert subtitles.splitlines()[:3] == ["1", "00:00:04,004 --> 00:00:04,804", "PASS (left) 0.90"]
    assert "SHOT 0.05" not in subtitles
    video = Video(Path("720p.mp4"), 1)
    document = osl_document("a - b", [video], events, classes=_WANTED.classes, fps=_FPS)
    (item,) = document["data"]
    assert item["inputs"] == [{"type": "video", "path": "720p.mp4", "fps": 25.0}]
    first = item["events"][0]
    assert (first["position_ms"], first["frame"], first["team"]) == (4004, 100, "left")
    assert first["confidence"] == first["confidence_score"] == 0.9
    assert set(document["labels"]) == {first["head"]}
