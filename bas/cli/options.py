"""Options that several commands share, under one name and with one meaning."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

Data = Annotated[Path, typer.Option(envvar="BAS_DATA", help="Folder of matches, or one video.")]
Features = Annotated[Path, typer.Option(envvar="BAS_FEATURES", help="Folder of caches.")]
Runs = Annotated[Path, typer.Option(envvar="BAS_RUNS", help="Folder of runs.")]
Split = Annotated[str, typer.Option(help="train, valid, test, challenge, or all: every match that is there.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1 ...; auto: a GPU where there is one.")]
Decoder = Annotated[
    Literal["auto", "nvdec", "cpu"], typer.Option(help="auto: NVDEC where it works, else the CPU.")
]
Preset = Annotated[str | None, typer.Option(help="Settings by name (tiny, 224p) or from a YAML file.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One setting, as extract.hop=4; repeatable."),
]
Tolerance = Annotated[
    str,
    typer.Option(
        help="Whole window in seconds: 1 is half a second to either side; a list (1,2,5); tight (1-5), loose (5-60)."
    ),
]
Flip = Annotated[
    bool,
    typer.Option("--flip", help="Average the scores of the mirrored view too; its rows are extracted first."),
]

Watched = Annotated[Path, typer.Argument(metavar="RUN|VIDEO", help="Folder of a run, or any video.")]
Model = Annotated[Path | None, typer.Option(help="Folder of the run or model that reads VIDEO.")]
Confidence = Annotated[
    float | None,
    typer.Option(
        min=0.0, max=1.0, help="Least of the detections that are shown; else the model's own, by action."
    ),
]

DATA, FEATURES, RUNS = Path("data"), Path("features"), Path("runs")


def newest_run() -> Path:
    """The finished run that was finished last."""
    from bas.runs import newest_finished

    return newest_finished(Path(os.environ.get("BAS_RUNS", RUNS)))


def chosen_device(name: str) -> str:
    """What `auto` stands for here; any other device is checked."""
    from bas.extract.device import choose_device

    return choose_device(name)
