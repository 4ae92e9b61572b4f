"""Commands that apply models: eval, compare, predict, submit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bas.cli import options
from bas.cli.app import app


@app.command("eval")
def evaluate(
    tolerance: options.Tolerance = "1",
    split: Annotated[
        str | None,
        typer.Option(help="Split to score (default: test; with --predictions, every match that has labels)."),
    ] = None,
    run: options.RunOption = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="Score this folder or zip of results_spotting.json instead; needs no model and no video."
        ),
    ] = None,
    data: options.Data = options.DATA,
    features: options.Features = options.FEATURES,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the predictions (default: RUN/predictions/SPLIT).")
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option(help="JSON report to write (default for a run: report.json beside its predictions)."),
    ] = None,
    framerate: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100,
            metavar="N",
            help="Frames per second of the scorer (default, as published: 2 for SoccerNet-v2, otherwise 25).",
        ),
    ] = None,
    resamples: Annotated[
        int, typer.Option(min=0, help="Bootstrap resamples for the 95 % interval; 0 leaves it out.")
    ] = 1000,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    flip: options.Flip = False,
) -> None:
    """Score a run or predictions exactly as the challenge does."""
    if predictions is not None:
        from bas.commands.scoring.evaluate_predictions import evaluate_predictions

        if run or out or flip:
            raise typer.BadParameter(
                "--predictions scores existing files: leave out --run, --out and --flip."
            )
        evaluate_predictions(
            data,
            predictions,
            tolerance=tolerance,
            split=split,
            json=json,
            framerate=framerate,
            resamples=resamples,
        )
        return
    from bas.commands.scoring.evaluate import evaluate_run

    evaluate_run(
        run or options.newest_run(),
        options.workspace(data=data, features=features, device=device, decoder=decoder),
        split=split or "test",
        tolerance=tolerance,
        out=out,
        json=json,
        flip=flip,
        framerate=framerate,
        resamples=resamples,
    )


@app.command()
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Run or model folders; differences are relative to the first."),
    ],
    data: options.Data = options.DATA,
    features: options.Features = options.FEATURES,
    split: options.Split = "test",
    tolerance: options.Tolerance = "1",
    json: Annotated[Path | None, typer.Option(help="JSON file for all numbers.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="File for the table in Markdown.")] = None,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
) -> None:
    """Compare runs on one split.

    Differences to the first run have bootstrap confidence intervals.
    """
    from bas.commands.scoring.compare import compare as run

    where = options.workspace(data=data, features=features, device=device, decoder=decoder)
    run(runs, where, split=split, tolerance=tolerance, json=json, markdown=markdown)


@app.command()
def predict(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="Video of a match.")],
    model: options.Model = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for results and cached features (default: VIDEO.spots).")
    ] = None,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    flip: options.Flip = False,
) -> None:
    """Spot the actions in one video.

    Writes SoccerNet JSON, OSL JSON, CSV and subtitles.
    """
    from bas.commands.scoring.predict import predict_video

    where = options.workspace(device=device, decoder=decoder)
    predict_video(video, model or options.newest_run(), where, out=out, flip=flip)
