"""Choice of the compute device."""

from __future__ import annotations

import os

import torch

from bas.errors import SettingsError, UnavailableError


def choose_device(name: str) -> str:
    """Return torch's name for a device; auto and cuda mean the GPU of this process under torchrun.

    Raises:
        SettingsError: torch does not know the device.
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
        raise SettingsError(f"Unknown device '{name}'. Use auto, cpu, cuda or cuda:N.") from error
    if device.type == "cuda" and (device.index or 0) >= num_gpus:
        raise UnavailableError(
            f"Device '{name}' is unavailable: torch {torch.__version__} finds {num_gpus} CUDA devices here. "
            "Pass --device cpu, or install a driver that this version of torch supports."
        )
    return str(device)
