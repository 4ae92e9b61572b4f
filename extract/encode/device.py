"""Choice of the compute device, and of the precision that the encoder computes in on it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bas.config.base import Precision
from bas.errors import SettingsError, UnavailableError
from bas.messages import counted

if TYPE_CHECKING:
    import torch


_CPU_INFO = Path("/proc/cpuinfo")


def choose_device(name: str) -> str:
    """Return torch's name for a device; auto and cuda mean the GPU of this process under torchrun.

    Raises:
        SettingsError: torch does not know the device.
        UnavailableError: this machine does not have it.
    """
    import torch

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
            f"Device '{name}' is unavailable: torch {torch.__version__} finds "
            f"{counted(num_gpus, 'CUDA device')} here. "
            "Pass --device cpu, or install a driver that this version of torch supports."
        )
    return str(device)


def best_precision(requested: Literal["auto", "fp32", "bf16"], device: torch.device | str) -> Precision:
    """Resolve `auto` on this machine: bf16 if the hardware computes in it natively, else fp32."""
    import torch

    if requested != "auto":
        return requested
    if torch.device(device).type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    flags = _CPU_INFO.read_text() if _CPU_INFO.exists() else ""
    return "bf16" if "avx512_bf16" in flags or "amx_bf16" in flags else "fp32"
