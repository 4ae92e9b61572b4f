"""Commands that write video (clips, render), and the demo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bas.cli import options
from bas.cli.app import app

if TYPE_CHECKING:
    from bas.heads.inference.analyzed_videos import MediaSource
    from bas.workspace import Workspace


@app.command()
def clips(
    source: options.RunOrVideo,
    model: options.Model = None,
    split: options.Split = "test",
    mistakes: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Cut the N worst mistakes instead of detections; needs labels."
        ),
    ] = None,
    confidence: options.Confidence = None,
    data: options.Data = options.DATA,
    features: options.Features = options.FEATURES,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the clips (default: clips or mistakes, in RUN or VIDEO.spots)."),
    ] = None,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
) -> None:
    """Cut a clip of every detection, or of the worst mistakes.

    A clip lasts six seconds.
    """
    from bas.commands.watching.clips import make_clips

    where = options.workspace(data=data, features=features, device=device, decoder=decoder)
    make_clips(_media(source, model, split, where, out), min_confidence=confidence, num_mistakes=mistakes)


@app.command()
def render(
    source: options.RunOrVideo,
    model: options.Model = None,
    split: options.Split = "test",
    confidence: options.Confidence = None,
    data: options.Data = options.DATA,
    features: options.Features = options.FEATURES,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the videos (default: rendered, in RUN or VIDEO.spots).")
    ] = None,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
) -> None:
    """Draw scores, detections and labels onto copies of videos."""
    from bas.commands.watching.render import make_renders

    where = options.workspace(data=data, features=features, device=device, decoder=decoder)
    make_renders(_media(source, model, split, where, out), min_confidence=confidence)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for all data and results.")] = Path("demo"),
    device: options.Device = "auto",
) -> None:
    """Run the whole pipeline on synthetic matches.

    It takes minutes on two CPU cores.
    """
    from bas.commands.watching.demo import run_demo

    run_demo(out, device=options.chosen_device(device))


def _media(source: Path, model: Path | None, split: str, where: Workspace, out: Path | None) -> MediaSource:
    """A video with the given model or the newest run; any other source is a run, with the matches of the split."""
    from bas.heads.inference.analyzed_videos import MediaSource

    if source.is_file():
        return MediaSource(model or options.newest_run(), source, split, where, out)
    return MediaSource(source, None, split, where, out)
