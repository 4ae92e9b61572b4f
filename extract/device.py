"""Which device computes."""

from __future__ import annotations

import os

import torch

from bas.errors import SettingsError, UnavailableError


def choose_device(name: str) -> str:
    """`name` as torch names devices; auto and cuda take the GPU of this process under torchrun.

    Raises:
        SettingsError: torch knows no such device.
        UnavailableError: this machine does not have it.
    """
    num_gpus = torch.cuda.device_count()
    if name == "auto" and num_gpus == 0:
        return "cpu"
    if name in ("auto", "cuda"):
        name = f"cuda:{int(os.environ.get('LOCAL_RANK', '0')) % max(1, num_gpus)}"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise SettingsError(
            f"--device {name} is none; wanted auto, cpu, cuda, or cuda:1 and so on."
        ) from error
    if device.type == "cuda" and (device.index or 0) >= num_gpus:
        raise UnavailableError(
            f"--device {name}: this machine shows {num_gpus} CUDA devices to torch {torch.__version__}. "
            "Pass --device cpu, or install a driver that this torch can use."
        )
    return str(device)
