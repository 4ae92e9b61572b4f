"""Commands that score runs, compare them, predict and submit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
from bas.cli.roof import app


@app.command("eval")
def evaluate(
    tolerance: Tolerance = "1",
    split: Annotated[
        str | None,
        typer.Option(help="Split to score: test for a run; for predictions, every game with labels."),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Folder of a run or a model; else the newest finished run in $BAS_RUNS or runs."),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(help="Score this folder or zip of results_spotting.json; no model, no video."),
    ] = None,
    data: Data = DATA,
    features: Features = FEATURES,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the predictions; else predictions/SPLIT in the run.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option(help="File for the report; of a run, else report.json beside them.")
    ] = None,
    device: Device = "auto",
    decoder: Decoder = "auto",
    flip: Flip = False,
) -> None:
    """Score a run, or anybody's predictions, exactly as the challenge does."""
    if predictions is not None:
        from bas.evaluate.run import evaluate_predictions

        if run or out or flip:
            raise typer.BadParameter(
                "--predictions scores files that are there: leave out --run, --out and --flip."
            )
        evaluate_predictions(data, predictions, tolerance=tolerance, split=split, json=json)
        return
    from bas.heads.apply import evaluate_run

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
        list[Path], typer.Argument(help="Folders of runs or models; differences are to the first.")
    ],
    data: Data = DATA,
    features: Features = FEATURES,
    split: Split = "test",
    tolerance: Tolerance = "1",
    json: Annotated[Path | None, typer.Option(help="File for all numbers.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="File for the table, to be pasted.")] = None,
    device: Device = "auto",
    decoder: Decoder = "auto",
) -> None:
    """Put runs side by side on one split, with the intervals that chance allows."""
    from bas.heads.compare import compare as run

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
    video: Annotated[Path, typer.Argument(help="Any video of a match.")],
    model: Annotated[Path, typer.Option(help="Folder of a run or a model.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for results and cached rows; else VIDEO.spots beside it.")
    ] = None,
    device: Device = "auto",
    decoder: Decoder = "auto",
    flip: Flip = False,
) -> None:
    """Spot the actions of one video: a table, SoccerNet JSON, OSL JSON, CSV and subtitles."""
    from bas.heads.apply import predict_video

    predict_video(video, model, out=out, device=chosen_device(device), decoder=decoder, flip=flip)


@app.command()
def submit(
    run: Annotated[
        Path | None,
        typer.Argument(help="Folder of a run or a model; else the newest finished run in $BAS_RUNS or runs."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Split: challenge for a run; for --check, the one whose games the zip names."),
    ] = None,
    check: Annotated[
        Path | None, typer.Option(help="Only check this zip, anyone's; no run, no video.")
    ] = None,
    data: Data = DATA,
    features: Features = FEATURES,
    out: Annotated[Path | None, typer.Option(help="The zip; else submission-SPLIT.zip in the run.")] = None,
    device: Device = "auto",
    decoder: Decoder = "auto",
    flip: Flip = False,
) -> None:
    """Pack a split's predictions for the challenge, and refuse to leave a zip that its server would not take."""
    from bas.heads.submit import check_zip, submit_run

    if check is not None:
        if run or out:
            raise typer.BadParameter("--check looks at a zip that is there: leave out the run and --out.")
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
