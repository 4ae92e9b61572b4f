"""Encoder weights from timm's hub, the installed package, a safetensors file, a run folder or a seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import torch
from jaxtyping import UInt8
from safetensors.torch import save
from torch import Tensor, nn

from bas import console
from bas.config.extract import ExtractSettings
from bas.errors import DataError, MissingError, SettingsError, UnavailableError
from bas.extract.decode.frames import DecodeStats
from bas.extract.decode.timeline import VideoTimeline, open_timeline
from bas.extract.encode.embedded import EMBEDDED_ENCODER, embedded_weights
from bas.extract.encode.encoder import Encoder, bare_encoder
from bas.extract.encode.stacks import canvas_of, stack_batches
from bas.files import atomic_write, locked
from bas.guarded.tensors import load_tensors
from bas.types import Game

_NUM_STACKS = 128  # sample on which the statistics of random weights are measured

_STACKS_PER_STEP = 8

_COUNTER = "num_batches_tracked"  # a counter of batch normalization, not a weight


def build_encoder(settings: ExtractSettings, *, features: Path, training: Sequence[Game] = ()) -> Encoder:
    """Build the encoder of the settings, with its weights.

    Random weights are created once: timm's initialization from the seed, then normalization
    statistics measured on stacks of the `training` games. Without these statistics the features of
    a random network carry no information. The weights are saved in `features` and reused.

    Args:
        settings: name and weights of the encoder, and the stacks to measure on.
        features: folder of all caches.
        training: games to measure on; only random weights need them.

    Raises:
        MissingError, DataError: the weights file is missing, damaged or of another encoder.
        SettingsError: the weights are not in a safetensors file.
        UnavailableError: the hub cannot be reached.
    """
    match settings.weights:
        case "timm":
            return _pretrained(settings)
        case "embedded":
            return _embedded(settings)
        case "random":
            settings = settings.model_copy(update={"flip": False})  # both views share one encoder
            path = random_weights_path(settings, features=features, training=training)
            with locked(path.with_suffix(".lock"), wait=True):
                if not path.exists():
                    _create_random(path, settings, training)
            return _load(settings, path)
        case name:
            return _load(settings, _weights_file(Path(name)))


def weights_digest(encoder: Encoder) -> str:
    """Return the SHA-256 of the encoder's tensors by name, in hex, whatever file they came from."""
    digest = hashlib.sha256()
    for name, tensor in sorted(encoder.body.state_dict().items()):
        if not name.endswith(_COUNTER):
            values = tensor.detach().cpu().contiguous()
            digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
            digest.update(values.numpy().data)
    if encoder.normalize:
        digest.update(
            f"mean {encoder.mean.flatten().tolist()}, std {encoder.std.flatten().tolist()}".encode()
        )
    return digest.hexdigest()


def random_weights_path(settings: ExtractSettings, *, features: Path, training: Sequence[Game]) -> Path:
    """Return the path of saved random weights; its name includes a short hash of all that determines them."""
    digits = hashlib.sha256(json.dumps(_random_weights_inputs(settings, training)).encode()).hexdigest()[:8]
    name = settings.encoder.replace("/", "_")
    return features / "encoders" / f"random-{name}-{digits}.safetensors"


def measure_norm_statistics(encoder: Encoder, stacks: Iterable[UInt8[Tensor, "3 h w"]]) -> int:
    """Set the statistics of every batch normalization to those of `stacks`; return the number of stacks."""
    norms = [module for module in encoder.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    encoder.eval()  # dropout and drop-path stay off; only the normalizations learn
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average over all steps
    source, count = iter(stacks), 0
    with torch.no_grad():
        while step := list(islice(source, _STACKS_PER_STEP)):
            count += len(step)
            encoder(torch.stack(step).float() / 255)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.eval()
        norm.momentum = momentum
    return count


def _pretrained(settings: ExtractSettings) -> Encoder:
    try:
        return Encoder(settings.encoder, pretrained=True, normalize=settings.normalize)
    except OSError as error:
        raise UnavailableError(
            f"The weights of {settings.encoder} are not on this machine, and timm's hub cannot be reached: {error}. "
            "Run this once with network access, or pass to bas extract or bas fit-head either "
            "--set extract.weights=FILE.safetensors or, for the encoder that is installed with bas, "
            f"--set extract.encoder={EMBEDDED_ENCODER} --set extract.weights=embedded."
        ) from error


def _embedded(settings: ExtractSettings) -> Encoder:
    if settings.encoder != EMBEDDED_ENCODER:
        raise SettingsError(
            f"Invalid extract.weights=embedded: these are the weights of {EMBEDDED_ENCODER}, not of "
            f"{settings.encoder}. Pass --set extract.encoder={EMBEDDED_ENCODER} to bas extract or bas fit-head, too."
        )
    encoder = bare_encoder(settings)
    found = embedded_weights()
    encoder.body.load_state_dict({key: found[key] for key in encoder.body.state_dict()})
    return encoder.eval()


def _weights_file(path: Path) -> Path:
    file = path / "model.safetensors" if path.is_dir() else path
    if file.suffix != ".safetensors":
        raise SettingsError(
            f"Invalid extract.weights={path}. Expected timm, embedded, random, a .safetensors file or the folder of a run. "
            "Convert other weights with safetensors.torch.save_file, under timm's tensor names."
        )
    if not file.is_file():
        raise MissingError(
            f"Missing weights file {file}. Check extract.weights, or use timm, embedded or random."
        )
    return file


def _load(settings: ExtractSettings, path: Path) -> Encoder:
    """Build an encoder with the tensors of a file: an encoder's, a run's, or a whole timm classifier's."""
    found = load_tensors(path)
    # A run's model holds encoder and head, under the prefixes "encoder." and "head.".
    own = {key.removeprefix("encoder."): value for key, value in found.items() if key.startswith("encoder.")}
    found = {key.removeprefix("body."): value for key, value in (own or found).items()}
    encoder = bare_encoder(settings)
    expected = encoder.body.state_dict()
    for key, value in expected.items():
        if key.endswith(_COUNTER):
            continue
        if key not in found or found[key].shape != value.shape:
            actual = f"has shape {tuple(found[key].shape)}" if key in found else "is missing"
            raise DataError(
                f"{path} does not hold the weights of {settings.encoder}: tensor {key} {actual}; expected shape "
                f"{tuple(value.shape)}. Pass --set extract.encoder=NAME to bas extract or bas fit-head, with the "
                "encoder of this file."
            )
    encoder.body.load_state_dict({key: found.get(key, value) for key, value in expected.items()})
    return encoder.eval()


def _create_random(path: Path, settings: ExtractSettings, training: Sequence[Game]) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        encoder = bare_encoder(settings)
    with console.progress(f"measuring {path.name}", _NUM_STACKS, unit="stacks") as advance:

        def counted() -> Iterator[UInt8[Tensor, "3 h w"]]:
            for stack in sample_stacks(training, settings, count=_NUM_STACKS):
                yield stack
                advance()

        if not measure_norm_statistics(encoder, counted()):
            raise MissingError(
                "Random weights are measured on the videos of the training split, but none could be read. "
                "Add training matches to the data folder, or pass --set extract.weights=timm to bas extract or bas "
                "fit-head."
            )
    metadata = {"bas": json.dumps(_random_weights_inputs(settings, training))}
    atomic_write(path, save(encoder.body.state_dict(), metadata))


def _random_weights_inputs(settings: ExtractSettings, training: Sequence[Game]) -> dict[str, object]:
    """Return everything that determines random weights."""
    videos = [
        (f"{game.id}/{video.path.name}", video.path.stat().st_size)
        for game in training
        for video in game.videos
    ]
    return (
        settings.model_dump(include={"encoder", "seed", "clock", "stack", "height", "width", "flip"})
        | ({"normalize": True} if settings.normalize else {})
        | {"videos": videos}
    )


def sample_stacks(
    games: Sequence[Game], settings: ExtractSettings, *, count: int
) -> Iterator[UInt8[Tensor, "3 h w"]]:
    """Yield up to `count` stacks, spread evenly over each video, the videos taking turns.

    Videos that cannot be read and damaged stacks are skipped, unreadable videos with a warning.
    """
    timelines = [opened for game in games for video in game.videos if (opened := _open(video.path, settings))]
    # Rounded up, so that every video has an equal share; the surplus of the last turn is cut off below.
    turns = -(-count // max(1, len(timelines)))
    samples = [(timeline, (turn + 0.5) / turns) for turn in range(turns) for timeline in timelines]
    for timeline, share in samples[:count]:
        row = int(share * len(timeline.rows))
        if (stack := _stack(timeline, row, settings)) is not None:
            yield stack


def _open(path: Path, settings: ExtractSettings) -> VideoTimeline | None:
    try:
        return open_timeline(path, settings)
    except (DataError, MissingError) as error:
        console.warn(f"{path.name} is not measured: {error}")
        return None


def _stack(timeline: VideoTimeline, row: int, settings: ExtractSettings) -> UInt8[Tensor, "3 h w"] | None:
    canvas = canvas_of(settings)
    buffer = canvas.empty(1, device="cpu", dtype=torch.uint8)
    rows = range(row, row + 1)
    try:
        frames = list(timeline.read_frames(rows, decoder="cpu", device="cpu", stats=DecodeStats()))
    except DataError as error:
        console.warn(f"row {row} of {timeline.times.path.name} is not measured: {error}")
        return None
    (batch,) = stack_batches(frames, [rows], rows=timeline.rows, canvas=canvas, buffer=buffer)
    return batch.stacks[0] if all(frame.is_valid for frame in frames) else None
