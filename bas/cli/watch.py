"""Commands that show what a model says as video, and all of it as a demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bas.cli.options import (
    DATA,
    FEATURES,
    Confidence,
    Data,
    Decoder,
    Device,
    Features,
    Model,
    Split,
    Watched,
    chosen_device,
)
from bas.cli.roof import app


@app.command()
def clips(
    source: Watched,
    model: Model = None,
    split: Split = "test",
    mistakes: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The N worst mistakes instead; needs labels.")
    ] = None,
    confidence: Confidence = None,
    data: Data = DATA,
    features: Features = FEATURES,
    out: Annotated[
        Path | None, typer.Option(help="Folder; else clips or mistakes in the run, or in VIDEO.spots.")
    ] = None,
    device: Device = "auto",
    decoder: Decoder = "auto",
) -> None:
    """Cut every detection, or the worst mistakes, into a video of six seconds that is named by what it shows."""
    from bas.heads.watch import Source, make_clips

    watched = Source(source, model, split, data, features, chosen_device(device), decoder)
    make_clips(watched, out=out, least=confidence, num_mistakes=mistakes)


@app.command()
def render(
    source: Watched,
    model: Model = None,
    split: Split = "test",
    confidence: Confidence = None,
    data: Data = DATA,
    features: Features = FEATURES,
    out: Annotated[
        Path | None, typer.Option(help="Folder; else rendered in the run, or in VIDEO.spots.")
    ] = None,
    device: Device = "auto",
    decoder: Decoder = "auto",
) -> None:
    """Burn scores, detections and labels into a copy of a video, or of every video of a split."""
    from bas.heads.watch import Source, make_renders

    watched = Source(source, model, split, data, features, chosen_device(device), decoder)
    make_renders(watched, out=out, least=confidence)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder that takes everything.")] = Path("demo"),
    device: Device = "auto",
) -> None:
    """Render matches, extract, fit, finetune, and score the held-out ones: minutes on two CPU cores."""
    from bas.demo import run_demo

    run_demo(out, device=chosen_device(device))
