"""Checkpoints in the formats of published systems, with weights generated from the names of the tensors."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from support import GOLDEN


def golden(name: str) -> dict[str, Any]:
    """Read the reference values of one published model."""
    content: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text())
    return content


def state_of(reference: dict[str, Any]) -> dict[str, Tensor]:
    """State dict with the published names and shapes; each tensor depends only on its name and shape."""
    state = {}
    for key, shape in reference["state_dict"].items():
        if key.endswith("num_batches_tracked"):
            state[key] = torch.zeros(shape, dtype=torch.int64)
        else:
            state[key] = _generated(key, tuple(shape))
    if "global_pool.p" in state:
        state["global_pool.p"].fill_(3.0)
    return state


def _generated(key: str, shape: tuple[int, ...]) -> Tensor:
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "little")
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    leaf = key.rpartition(".")[2]
    if leaf == "running_var":
        return 1 + 0.1 * noise.abs()
    if leaf == "running_mean":
        return 0.1 * noise
    if max(shape, default=1) == math.prod(shape):
        return 1 + 0.1 * noise if leaf == "weight" else 0.1 * noise
    return noise * 1.5 / math.sqrt(math.prod(shape[1:]))


def save_lromul(path: Path, state: dict[str, Tensor]) -> Path:
    """Write an argus checkpoint: the moving average, and the raw weights, here twice as large."""
    raw = {key: value * 2 if value.is_floating_point() else value for key, value in state.items()}
    content = {
        "model_name": "BallActionModel",
        "params": {"nn_module": ["multidim_stacker", {"num_classes": 2}], "device": ["cuda:0"]},
        "nn_state_dict": state,
        "no_ema_nn_state_dict": raw,
    }
    torch.save(content, path)
    return path


def save_tdeed(path: Path, state: dict[str, Tensor]) -> Path:
    """Write a bare state dict that also holds part of the 2D network, as T-DEED's do."""
    torch.save({**state, "_features.stem.conv.weight": torch.zeros(32, 3, 3, 3)}, path)
    return path


def save_netvlad(path: Path, state: dict[str, Tensor]) -> Path:
    """Write a checkpoint of sn-spotting: weights, epoch and optimizer."""
    torch.save({"epoch": 12, "state_dict": state, "best_loss": 0.1, "optimizer": {"state": {}}}, path)
    return path


def assert_matches(found: Tensor, expected: Any) -> None:
    """Compare a float32 tensor with all reference values, or with a sample of them."""
    if isinstance(expected, dict):
        assert list(found.shape) == expected["shape"]
        found = found.flatten()[expected["flat_indices"]]
        expected = expected["values"]
    torch.testing.assert_close(found.float(), torch.tensor(expected), rtol=1e-4, atol=1e-5)
