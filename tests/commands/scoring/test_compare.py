"""`bas compare` on real caches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.runs import small_run

from bas.commands.scoring.compare import compare
from bas.commands.scoring.evaluate import evaluate_run
from bas.errors import DataError, SettingsError
from bas.workspace import Workspace


def test_compared_runs_have_intervals_and_match_bas_eval(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [small_run(workspace, "linear"), small_run(workspace, "netvlad")]
    one = evaluate_run(runs[1], workspace, split="test")
    comparison = compare(
        runs,
        workspace,
        split="test",
        json=tmp_path / "compare.json",
        markdown=tmp_path / "compare.md",
    )
    linear, netvlad = comparison.results
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
    printed = capsys.readouterr()
    assert runs[0].name in printed.out
    assert "Shorter than 3 minutes: 1 of 1 match, e.g." in " ".join(printed.err.split())


def test_runs_with_different_classes_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    run = small_run(workspace, "linear")
    other = tmp_path / "other"
    other.mkdir()
    (other / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes())
    config = json.loads((run / "config.json").read_text())
    config["classes"][0] = "NUTMEG"
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(SettingsError, match="The runs predict different classes"):
        compare([run, other], workspace, split="test")
    with pytest.raises(SettingsError, match="Duplicate run"):
        compare([run, run], workspace, split="test")


def test_a_model_with_other_classes_than_the_labels_is_refused_before_extraction(
    workspace: Workspace, tmp_path: Path
) -> None:
    run = small_run(workspace, "linear")
    (tmp_path / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes())
    config = json.loads((run / "config.json").read_text())
    config["classes"][0] = "NUTMEG"
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="predicts NUTMEG.*is labeled with"):
        evaluate_run(tmp_path, workspace, split="test")
    assert not (tmp_path / "features").exists()
