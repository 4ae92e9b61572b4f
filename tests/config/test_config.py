"""Settings: unknown keys are refused, values are checked, and misspellings are answered with the nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import ROOT

from bas.config import Pipeline, load, parse, read_yaml, to_yaml
from bas.errors import SettingsError

_CONFIGS = ROOT / "configs"


@pytest.mark.parametrize(
    "preset", sorted(_CONFIGS.rglob("*.yaml")), ids=lambda p: f"{p.parent.name}/{p.stem}"
)
def test_every_preset_is_valid(preset: Path) -> None:
    assert isinstance(parse(read_yaml(preset), source=str(preset)), Pipeline)


def test_settings_survive_a_round_trip_through_yaml(tmp_path: Path) -> None:
    settings = load("heads", sets=["extract.hop=3", "extract.clock=30000/1001", "fit.learning_rate=1e-4"])
    assert settings.fit.learning_rate == 1e-4
    file = tmp_path / "settings.yaml"
    file.write_text(to_yaml(settings))
    assert parse(read_yaml(file), source="it") == settings


def test_all_mistakes_are_reported_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load("heads", sets=["extract.hopp=4", "fit.epochs=0", "lrr=1", "extract.grid=[6]"])
    text = str(caught.value)
    assert "extract.hopp: unknown setting (did you mean extract.hop?)" in text
    assert "fit.epochs: found 0, expected int >= 1" in text
    assert "lrr: unknown setting" in text
    assert "extract.grid: found [6], expected list of 2 ints each >= 1" in text
    assert text.endswith(
        "`bas settings NAME` prints the type, default, range and meaning of a setting or section."
    )
    assert caught.value.exit_code == 78


@pytest.mark.parametrize(
    ("head", "key", "answer"),
    [
        ("netvlad", "head.window", " (did you mean head.window_seconds?)"),
        ("netvlad", "head.clip_rows", ""),  # of other heads
        ("sgp", "head.clip_row", " (did you mean head.clip_rows?)"),
        ("netvlad", "finetune.augment.blur.kernal", " (did you mean finetune.augment.blur.kernel?)"),
        ("netvlad", "peaks.classes.PASS.min_scores", " (did you mean peaks.classes.PASS.min_score?)"),
        ("netvlad", "fits.epochs", " (did you mean fit?)"),
    ],
)
def test_an_unknown_setting_is_answered_with_the_nearest_of_its_section(
    head: str, key: str, answer: str
) -> None:
    where = key if answer != " (did you mean fit?)" else "fits"
    with pytest.raises(SettingsError) as caught:
        load("finetune", head=head, sets=[f"{key}=31"])
    assert str(caught.value).splitlines()[1:-1] == [f"  {where}: unknown setting{answer}"]


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("fit.epochs=many", "found 'many', expected int >= 1"),
        ("fit.optimizer=adamm", "found 'adamm', expected one of adamw, adam, sgd"),
        ("fit.focal_alpha=2", "found 2, expected float or null >= 0, <= 1"),
        ("extract.stack=[a, 1, 2]", "found 'a', expected int"),
        ("extract.clock=0", "found 0, expected a frame rate between 1 and 240"),
        ("finetune.augment.blur.kernel=4", "found 4, expected an odd number"),
        (
            "finetune.augment.sharpness.range=[2, 1]",
            "found [2, 1], expected the lower end of the range first",
        ),
        ("peaks.classes.PASS.sigma=x", "found 'x', expected float >= 0"),
        ("peaks.confidences.PASS=[[0, 0], [0, 7]]", "found 7, expected float >= 0, <= 1"),
        ("peaks.confidences={PASS: [[0, 0], [0, 1]]}", "the calibration points of PASS must rise strictly"),
        ("head=3", "found 3, expected mapping"),
    ],
)
def test_a_wrong_value_is_answered_with_what_is_expected(assignment: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load("finetune", sets=[assignment])
    (line,) = str(caught.value).splitlines()[1:-1]
    assert line.startswith(f"  {assignment.partition('=')[0]}")
    assert words in line


def test_a_misspelled_preset_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(SettingsError, match=r"Unknown heads preset 'netvald'. Did you mean 'netvlad'\?"):
        load("heads", head="netvald")


def test_a_preset_folder_sets_every_stage_up_to_the_one_asked_for() -> None:
    extracting, fitting = load("extract", preset="tiny"), load("heads", head="netvlad", preset="tiny")
    assert extracting.extract == fitting.extract != Pipeline().extract
    assert fitting.fit != Pipeline().fit


def test_a_preset_of_an_earlier_stage_applies_to_a_later_stage() -> None:
    fitting = load("heads", head="netvlad", preset="224p")
    assert fitting.extract == load("extract", preset="224p").extract != Pipeline().extract
    with pytest.raises(SettingsError, match="Unknown extract preset 'netvlad'"):
        load("extract", preset="netvlad")


def test_a_clock_rate_may_be_a_number() -> None:
    assert load("extract", sets=["extract.clock=50"]).extract.clock == "50"


def test_head_settings_without_a_head_are_answered_with_the_kinds() -> None:
    with pytest.raises(SettingsError, match="head: these settings need a head; set head.kind, too") as caught:
        load("heads", sets=["head.clusters=1"])
    assert "linear or netvlad or blocks3d or sgp or gru" in str(caught.value)


@pytest.mark.parametrize("head", [None, "netvlad"])
def test_an_unknown_kind_of_head_is_answered_with_the_nearest(head: str | None) -> None:
    with pytest.raises(SettingsError, match=r"head: unknown kind 'netvald' \(did you mean netvlad\?\)"):
        load("heads", head=head, sets=["head.kind=netvald"])


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"the command line:\n  fit.seed: found -1, expected int >= 0"):
        load("heads", preset="tiny", sets=["fit.seed=-1"])


def test_later_sources_override_earlier_ones_and_keep_other_settings(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("extract: {hop: 3, batch: 7}\nfit: {epochs: 2}\n")
    settings = load("heads", preset=str(file), sets=["extract.batch=8"])
    assert (settings.extract.hop, settings.extract.batch, settings.fit.epochs) == (3, 8, 2)


@pytest.mark.fault("S12")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("extract: {hop: 1, hop: 2}", "duplicate key 'hop'"),
        ("- a\n- b", "not a mapping of settings, but a list"),
        ("extract: !!python/object:os.system {}", "Invalid YAML"),
        ("[" * 5000, "Invalid YAML"),
        ("extract: {encoder: no}", None),  # YAML 1.1 would read false
    ],
)
def test_yaml_is_read_strictly(tmp_path: Path, text: str, reason: str | None) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    if reason is None:
        assert parse(read_yaml(file), source="a").extract.encoder == "no"
    else:
        with pytest.raises(SettingsError, match=reason):
            read_yaml(file)


def test_an_assignment_without_a_value_is_refused() -> None:
    with pytest.raises(SettingsError, match="Invalid --set extract.hop. Expected KEY=VALUE"):
        load("extract", sets=["extract.hop"])


@pytest.mark.parametrize(("batch", "probability"), [(1, 0.5), (4, 0.9), (8, 0.05)])
def test_a_batch_without_windows_of_one_label_set_is_refused(batch: int, probability: float) -> None:
    sets = [f"fit.batch={batch}", f"fit.second_probability={probability}", "fit.second_data=older"]
    with pytest.raises(SettingsError, match="leaves one label set without windows"):
        load("heads", head="linear", sets=sets)


def test_an_even_window_around_an_action_is_refused() -> None:
    with pytest.raises(SettingsError, match="odd"):
        load("heads", head="linear", sets=["fit.target_window=16"])
