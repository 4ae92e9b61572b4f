"""What the encoder computes in: fp32, or bf16 where the hardware has it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["fp32", "bf16"]

_CPU_INFO = Path("/proc/cpuinfo")


def best_precision(wanted: Literal["auto", "fp32", "bf16"], device: torch.device | str) -> Precision:
    """What `auto` means on this machine: bf16 where the hardware computes in it, else fp32."""
    import torch

    if wanted != "auto":
        return wanted
    if torch.device(device).type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    flags = _CPU_INFO.read_text() if _CPU_INFO.exists() else ""
    return "bf16" if "avx512_bf16" in flags or "amx_bf16" in flags else "fp32"
