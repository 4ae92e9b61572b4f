"""Commands that apply models: eval, compare, predict, submit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bas.cli.app import app
from bas.cli.options import (
    DATA,
    FEATURES,
    Data,
    Decoder,
    Device,
    Features,
    Flip,
    Split,
    Tolerance,
    chosen_device,
    newest_run,
)


@app.command("eval")
def evaluate(
    tolerance: Tolerance = "1",
    split: Annotated[
        str | None,
        typer.Option(help="Split to score (default: test; with --predictions, every match that has labels)."),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Run or model folder (default: the newest finished run in $BAS_RUNS or runs)."),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="Score this folder or zip of results_spotting.json instead; needs no model and no video."
        ),
    ] = None,
    data: Data = DATA,
    features: Features = FEATURES,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the predictions (default: RUN/predictions/SPLIT).")
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option(help="JSON report to write (default for a run: report.json beside its predictions)."),
    ] = None,
    device: Device = "auto",
    decoder: Decoder = "auto",
    flip: Flip = False,
) -> None:
    """Score a run, or existing predictions, exactly as the challenge does."""
    if predictions is not None:
        from bas.evaluate.predictions import evaluate_predictions

        if run or out or flip:
            raise typer.BadParameter(
                "--predictions scores existing files: leave out --run, --out and --flip."
            )
        evaluate_predictions(data, predictions, tolerance=tolerance, split=split, json=json)
        return
    from bas.commands.scoring.evaluate import evaluate_run

    evaluate_run(
        run or newest_run(),
        data=data,
        features=features,
        split=split or "test",
        tolerance=tolerance,
        out=out,
        json=json,
        device=chosen_device(device),
        decoder=decoder,
        flip=flip,
    )


@app.command()
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Run or model folders; differences are relative to the first."),
    ],
    data: Data = DATA,
    features: Features = FEATURES,
    split: Split = "test",
    tolerance: Tolerance = "1",
    json: Annotated[Path | None, typer.Option(help="JSON file for all numbers.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="File for the table in Markdown.")] = None,
    device: Device = "auto",
    decoder: Decoder = "auto",
) -> None:
    """Compare runs on one split, with bootstrap confidence intervals."""
    from bas.commands.scoring.compare import compare as run

    run(
        runs,
        data=data,
        features=features,
        split=split,
        device=chosen_device(device),
        tolerance=tolerance,
        decoder=decoder,
        json=json,
        markdown=markdown,
    )


@app.command()
def predict(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="Video of a match.")],
    model: Annotated[Path, typer.Option(help="Run or model folder.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for results and cached features (default: VIDEO.spots).")
    ] = None,
    device: Device = "auto",
    decoder: Decoder = "auto",
    flip: Flip = False,
) -> None:
    """Spot the actions in one video; write SoccerNet JSON, OSL JSON, CSV and subtitles."""
    from bas.commands.scoring.evaluate import predict_video

    predict_video(video, model, out=out, device=chosen_device(device), decoder=decoder, flip=flip)


@app.command()
def submit(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="RUN", help="Run or model folder (default: the newest finished run in $BAS_RUNS or runs)."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Split to submit (default: challenge; with --check, the split whose games the zip holds)."
        ),
    ] = None,
    check: Annotated[
        Path | None, typer.Option(help="Only validate this existing zip; needs no run and no video.")
    ] = None,
    data: Data = DATA,
    features: Features = FEATURES,
    out: Annotated[
        Path | None, typer.Option(help="Zip file to write (default: RUN/submission-SPLIT.zip).")
    ] = None,
    device: Device = "auto",
    decoder: Decoder = "auto",
    flip: Flip = False,
) -> None:
    """Build the submission zip for a split and validate it."""
    from bas.commands.sharing.submit import check_zip, submit_run

    if check is not None:
        if run or out:
            raise typer.BadParameter("--check validates an existing zip: leave out the run and --out.")
        check_zip(check, data=data, split=split)
        return
    submit_run(
        run or newest_run(),
        data=data,
        features=features,
        split=split or "challenge",
        device=chosen_device(device),
        out=out,
        decoder=decoder,
        flip=flip,
    )
