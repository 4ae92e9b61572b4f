"""Runs side by side on real caches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bas.config import load
from bas.errors import SettingsError
from bas.heads.apply import evaluate_run
from bas.heads.compare import compare
from bas.heads.lessons import Place
from bas.heads.run import fit

_SETS = ("fit.epochs=1", "fit.samples=64", "fit.batch=32", "extract.grid=[2,3]")


def _run(place: Place, head: str, *sets: str) -> Path:
    return fit(load("heads", head=head, preset="tiny", sets=[*_SETS, *sets]), place)


def test_runs_stand_beside_each_other_with_intervals(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [_run(place, "linear"), _run(place, "netvlad")]
    one = evaluate_run(runs[1], data=place.data, features=place.features, split="test", device="cpu")
    comparison = compare(
        runs,
        data=place.data,
        features=place.features,
        split="test",
        device="cpu",
        json=tmp_path / "compare.json",
        markdown=tmp_path / "compare.md",
    )
    linear, netvlad = comparison.contestants
    assert netvlad.mean_ap == pytest.approx(one.mean_ap, abs=1e-12)
    assert linear.difference is None
    assert netvlad.difference is not None
    assert netvlad.difference.low <= netvlad.difference.high
    assert linear.training_seconds is not None
    assert linear.frames_per_second > 0
    document = json.loads((tmp_path / "compare.json").read_text())
    assert [run["head"] for run in document["runs"]] == ["linear", "netvlad"]
    assert document["runs"][1]["mAP"] == netvlad.mean_ap
    lines = (tmp_path / "compare.md").read_text().splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert lines[0].startswith("| run | head | mAP@1 |")
    told = capsys.readouterr()
    assert runs[0].name in told.out
    assert "1 of 1 matches are shorter than 3 minutes" in " ".join(told.err.split())


def test_runs_of_other_vocabularies_are_refused(place: Place, tmp_path: Path) -> None:
    run = _run(place, "linear")
    other = tmp_path / "other"
    other.mkdir()
    (other / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes())
    config = json.loads((run / "config.json").read_text())
    config["classes"][0] = "NUTMEG"
    (other / "config.json").write_text(json.dumps(config))
    named = {"data": place.data, "features": place.features, "split": "test", "device": "cpu"}
    with pytest.raises(SettingsError, match="cannot be compared"):
        compare([run, other], **named)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="named twice"):
        compare([run, run], **named)  # type: ignore[arg-type]


def test_a_model_of_other_classes_is_refused_before_any_work(place: Place, tmp_path: Path) -> None:
    from bas.errors import DataError

    run = _run(place, "linear")
    (tmp_path / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes())
    config = json.loads((run / "config.json").read_text())
    config["classes"][0] = "NUTMEG"
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="tells NUTMEG.*the labels of"):
        evaluate_run(tmp_path, data=place.data, features=tmp_path / "features", split="test", device="cpu")
    assert not (tmp_path / "features").exists()
