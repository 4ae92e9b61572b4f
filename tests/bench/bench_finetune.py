"""Joint training: memory by clip length, and the share of time spent waiting for clips."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import torch

from bas.commands.training.finetune import finetune
from bas.commands.training.fit_head import fit
from bas.config import FinetuneSettings, Pipeline, load
from bas.console import show, table
from bas.extract.encode.encoder import Encoder
from bas.files import read_json
from bas.heads.finetune.clip_sampler import clip_shape
from bas.heads.finetune.freezing import layerwise_parameter_groups
from bas.heads.finetune.memory import expected_bytes
from bas.heads.finetune.model import ClipModel
from bas.heads.interop.model_folder import load_settings
from bas.heads.models.factory import build_head
from bas.heads.models.outputs import Task
from bas.heads.models.stacker import Stacker
from bas.heads.training.optimizer import TrainingOptimizer
from bas.synthetic import synthesize
from bas.workspace import Workspace

_MATCHES, _MINUTES = 3, 1.0
_SETTINGS = Pipeline.model_validate({"extract": {"height": 224, "width": 398, "grid": [4, 7]}})


def main() -> None:
    """Print memory and throughput tables."""
    if sys.argv[1:2] == ["--peak"]:
        sys.stdout.write(
            " ".join(map(str, _peak(int(sys.argv[2]), checkpointing=sys.argv[3] == "1", freeze=sys.argv[4])))
        )
        return
    rows = table(
        "Memory of a training step, tf_efficientnetv2_b0 at 398 x 224, one clip",
        "rows",
        "activations",
        "frozen",
        "measured",
        "expected",
    )
    for length, checkpointing, freeze in (
        (31, True, "none"),
        (63, True, "none"),
        (127, True, "none"),
        (31, False, "none"),
        (31, False, "encoder.blocks[:2]"),
        (31, False, "encoder.blocks[:5]"),
        (31, False, "encoder"),
    ):
        command = [sys.executable, __file__, "--peak", str(length), str(int(checkpointing)), freeze]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        measured, expected = (f"{int(part) / 2**20:,.0f} MiB" for part in output.split()[-2:])
        rows.add_row(str(length), "recomputed" if checkpointing else "kept", freeze, measured, expected)
    show(rows, "")
    rows = table(
        "Joint training, tiny preset, default head",
        "clips per step",
        "rows per clip",
        "rows/s",
        "waiting",
        "pictures used",
    )
    with tempfile.TemporaryDirectory() as folder:
        for batch, length in ((4, 31), (2, 63)):
            rows.add_row(str(batch), str(length), *_trained(Path(folder), batch=batch, length=length))
    show(rows)


def _peak(length: int, *, checkpointing: bool, freeze: str) -> tuple[int, int]:
    """Return the measured peak memory of two steps beyond the initial memory, and the expected one, in bytes."""
    encoder = Encoder(_SETTINGS.extract.encoder)
    head = build_head(_SETTINGS.head, (encoder.width, 4, 7), Task(12), row_rate=Fraction(25, 2))
    stacker = Stacker(encoder, head, settings=_SETTINGS, classes=tuple("ABCDEFGHIJKL"))
    settings = FinetuneSettings(checkpointing=checkpointing, freeze=freeze, shuffle_clips=1, batch=1)
    shape = clip_shape(head, length, _SETTINGS.extract)
    model = ClipModel(stacker, shape, settings).train()
    optimizer = TrainingOptimizer(
        stacker, layerwise_parameter_groups(stacker, settings), settings, steps_per_epoch=2
    )
    luma = torch.randint(0, 256, (len(shape.offsets), 224, 398), dtype=torch.uint8)
    before = _memory("VmRSS")
    for _ in range(2):
        loss = model(luma, torch.arange(length)).logits.square().mean()
        optimizer.backward(loss)
        optimizer.step(loss.detach())
    expected = expected_bytes(model, settings, world_size=1, half_precision=False)
    return _memory("VmHWM") - before, expected


def _memory(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(key)).split()[1])


def _trained(folder: Path, *, batch: int, length: int) -> tuple[str, str, str]:
    """Return rows per second, share of time spent waiting, and share of decoded pictures used, in the second epoch."""
    workspace = Workspace(folder / "data", folder / "features", folder / "runs", "cpu", "auto")
    if not workspace.data.exists():
        synthesize(workspace.data, matches=_MATCHES, minutes=_MINUTES, size="224x128", profile="even", seed=2)
    head = load("heads", head="netvlad", preset="tiny", sets=["fit.epochs=1", "fit.samples=500"])
    start = fit(head, workspace)
    sets = [
        f"finetune.{key}={value}"
        for key, value in {
            "epochs": 2,
            "samples": 40 * batch // 4 * 2,
            "batch": batch,
            "clip_rows": length,
        }.items()
    ]
    settings = load("finetune", base=load_settings(start), preset="tiny", sets=sets)
    run = finetune(start, settings, workspace)
    checkpoints = sorted((run / "checkpoints").iterdir())
    record = read_json(checkpoints[-1] / "history.json")[-1]
    steps = max(1, settings.finetune.samples // batch)
    rate = steps * batch * length / record["train_seconds"]
    return (
        f"{rate:.0f}",
        f"{100 * record['share_waiting']:.1f} %",
        f"{100 * record['share_of_pictures_used']:.0f} %",
    )


if __name__ == "__main__":
    main()
