"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from bas.workspace import Workspace

Data = Annotated[Path, typer.Option(envvar="BAS_DATA", help="Folder of matches, or one video.")]
Features = Annotated[Path, typer.Option(envvar="BAS_FEATURES", help="Folder of cached features.")]
Runs = Annotated[Path, typer.Option(envvar="BAS_RUNS", help="Folder of runs.")]
Split = Annotated[
    str, typer.Option(help="Split: train, valid, test, challenge, or all (every match present).")
]
Device = Annotated[
    str, typer.Option(help="Compute device: auto, cpu, cuda or cuda:N; auto takes a GPU if there is one.")
]
Decoder = Annotated[
    Literal["auto", "nvdec", "cpu"],
    typer.Option(help="Video decoder; auto takes NVDEC if it works, otherwise the CPU."),
]
Preset = Annotated[
    str | None, typer.Option(metavar="NAME|FILE", help="Preset by name (tiny, 224p) or path of a YAML file.")
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting, e.g. extract.hop=4; repeatable."),
]
Tolerance = Annotated[
    str,
    typer.Option(
        help="Full width of the matching window in seconds: 1 means 0.5 s on each side. "
        "Also a list (1,2,5), tight (1 to 5) or loose (5 to 60)."
    ),
]
Flip = Annotated[
    bool,
    typer.Option(
        "--flip", help="Average with the scores of the mirrored video; extracts its features first."
    ),
]

_NEWEST = "(default: the newest finished run in $BAS_RUNS or runs)"
Run = Annotated[Path | None, typer.Argument(metavar="RUN", help=f"Run or model folder {_NEWEST}.")]
RunOption = Annotated[Path | None, typer.Option("--run", help=f"Run or model folder {_NEWEST}.")]
Start = Annotated[
    Path | None,
    typer.Option(
        "--run", help="Run or model folder to start from (default: the newest finished fit-head run)."
    ),
]
RunOrVideo = Annotated[Path, typer.Argument(metavar="RUN|VIDEO", help="Run folder, or a video.")]
Model = Annotated[Path | None, typer.Option(help=f"Run or model folder to score VIDEO with {_NEWEST}.")]
Confidence = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=1.0,
        metavar="SCORE",
        help="Minimum confidence to show (default: the model's per-class threshold).",
    ),
]

DATA, FEATURES, RUNS = Path("data"), Path("features"), Path("runs")


def newest_run() -> Path:
    """Folder of the most recently finished run."""
    from bas.runs import newest_finished
    from bas.workspace import default_folder

    return newest_finished(default_folder("runs"))


def chosen_device(name: str) -> str:
    """Resolve `auto` to a device of this machine; check any other name."""
    from bas.extract.encode.device import choose_device

    return choose_device(name)


def workspace(
    *,
    data: Path | None = None,
    features: Path | None = None,
    runs: Path | None = None,
    device: str,
    decoder: Decoder,
) -> Workspace:
    """Folders, device and decoder of a command as one value; `auto` becomes a device of this machine.

    A folder for which the command has no option is that of its environment variable, or the default.
    """
    from bas.workspace import Workspace, default_folder

    return Workspace(
        data or default_folder("data"),
        features or default_folder("features"),
        runs or default_folder("runs"),
        chosen_device(device),
        decoder,
    )
