"""`make bench`: every measurement in turn, after the machine they were taken on."""

from __future__ import annotations

import os
import platform
import runpy
from importlib.metadata import version
from pathlib import Path

import torch

from bas.console import say, show

_PACKAGES = ("bas", "torch", "timm", "av", "h5py", "numpy")


def main() -> None:
    """Print the machine, then the table of every `bench_*.py` beside this file."""
    show(_machine(), "")
    for script in sorted(Path(__file__).parent.glob("bench_*.py")):
        say(f"{script.name} ...")
        runpy.run_path(str(script), run_name="__main__")
        show("")


def _machine() -> str:
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = {line.partition(": ")[2] for line in info.splitlines() if line.startswith("model name")}
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return "\n".join(
        [
            f"{os.cpu_count()} cores of {', '.join(models) or platform.processor()}; {', '.join(gpus) or 'no GPU'}",
            f"Python {platform.python_version()}, "
            + ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
        ]
    )


if __name__ == "__main__":
    main()
