"""The command line: parses, calls one function, prints. Heavy imports stand inside the commands."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from bas import console
from bas.errors import BasError, MissingError

if TYPE_CHECKING:
    from bas.config import Pipeline


class _Commands(TyperGroup):
    """All commands; Ctrl-C in one is told, and ends it at once."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            console.fail("Interrupted. The same command continues where it left off.")
            os._exit(130)


app = typer.Typer(
    name="bas",
    cls=_Commands,
    help="Ball action spotting: every pass, drive and shot of a soccer broadcast, to the frame.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

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
        help="Whole window in seconds: 1 is half a second to either side; or tight (1-5), loose (5-60)."
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

_DATA, _FEATURES, _RUNS = Path("data"), Path("features"), Path("runs")


@app.command()
def synth(
    out: Annotated[Path, typer.Argument(help="Folder to fill.")],
    matches: Annotated[int, typer.Option(min=1, help="How many.")] = 6,
    minutes: Annotated[float, typer.Option(min=0.1, help="Length of each.")] = 5.0,
    size: Annotated[str, typer.Option(help="224p, 720p or WIDTHxHEIGHT.")] = "224p",
    profile: Annotated[
        Literal["real", "even"],
        typer.Option(help="real: as often as in real matches; even: all classes alike."),
    ] = "real",
    layout: Annotated[
        Literal["bas-2025", "bas-2024", "bas-2023", "soccernet-v2", "folder"],
        typer.Option(help="Which dataset to look like."),
    ] = "bas-2025",
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
) -> None:
    """Render matches that do not exist, with labels, as H.264 video."""
    from bas.synthetic import synthesize

    games = synthesize(
        out, matches=matches, minutes=minutes, size=size, profile=profile, layout=layout, seed=seed
    )
    console.say(f"{len(games)} matches in {out}. Next: bas doctor {out}")


@app.command()
def download(
    edition: Annotated[Literal["2023", "2024", "2025"], typer.Argument(help="Year of the challenge.")],
    split: Annotated[str, typer.Option(help="train, valid, test, challenge, or all.")] = "all",
    data: Data = _DATA,
) -> None:
    """Fetch SoccerNet's matches from Hugging Face, unpack and verify them; goes on where it was cut.

    The password of the agreement comes from SOCCERNET_PASSWORD, or is asked for.
    """
    from bas.dataset.download import download as run

    run(edition, split=split, data=data)


@app.command()
def doctor(
    folder: Annotated[
        Path, typer.Argument(envvar="BAS_DATA", help="Folder of matches, one video, or a folder of caches.")
    ] = _DATA,
    video: Annotated[
        Literal["720p", "224p"] | None, typer.Option(help="Which video files of a match to look at.")
    ] = None,
) -> None:
    """Say what a folder holds, what is missing, and what looks wrong."""
    from bas.doctor import examine_folder

    examine_folder(folder, video=video)


@app.command()
def extract(
    split: Split = "train",
    data: Data = _DATA,
    out: Features = _FEATURES,
    device: Device = "auto",
    decoder: Decoder = "auto",
    preset: Preset = None,
    sets: Sets = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N", help="Take every Nth video from the Ith on, as 0/4; else RANK of torchrun."
        ),
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(
            help="Run or model whose encoder to take, with its settings: a tuned one fills a new cache."
        ),
    ] = None,
    flip: Annotated[
        bool, typer.Option("--flip", help="The mirrored view, as a cache of its own (extract.flip=true).")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print rows, bytes and time a video; decode nothing.")
    ] = False,
) -> None:
    """Cache the features of every video of a split (stage 1)."""
    from bas.config import load
    from bas.extract.split import extract_split, plan_split

    sets = [*(sets or ()), *(["extract.flip=true"] if flip else ())]
    base = None
    if encoder is not None:
        from bas.heads.models import settings_of

        base, sets = settings_of(encoder), [*sets, f"extract.weights={encoder}"]
    settings = load("extract", base=base, preset=preset, sets=sets).extract
    device = _device(device)
    if plan:
        plan_split(settings, data=data, features=out, split=split, device=device)
        return
    extract_split(settings, data=data, features=out, split=split, device=device, decoder=decoder, shard=shard)


@app.command("fit-head")
def fit_head(
    head: Annotated[
        str, typer.Argument(help="netvlad, blocks3d, sgp, gru, linear, or a recipe of configs/heads.")
    ],
    data: Data = _DATA,
    features: Features = _FEATURES,
    out: Runs = _RUNS,
    device: Device = "auto",
    decoder: Decoder = "auto",
    preset: Preset = None,
    sets: Sets = None,
    fold: Annotated[
        str | None,
        typer.Option(
            metavar="K/N",
            help="Hold out every Nth match of train and valid from the Kth on, as 0/5; or all, one after the other.",
        ),
    ] = None,
    all_data: Annotated[
        bool, typer.Option("--all-data", help="Learn from every labeled match and keep the last epoch.")
    ] = False,
) -> None:
    """Fit a head on cached rows, and keep the epoch with the best validation mAP@1 (stage 2)."""
    from bas.config import load
    from bas.heads.folds import fit_folds
    from bas.heads.lessons import Place
    from bas.heads.run import fit

    settings = load("heads", head=head, preset=preset, sets=sets or ())
    place = Place(data, features, out, _device(device), decoder)
    if fold is None:
        fit(settings, place, all_data=all_data)
    elif all_data:
        raise typer.BadParameter("--all-data holds no match out: leave out --fold.")
    else:
        fit_folds(settings, place, fold=fold)


@app.command("finetune-e2e")
def finetune_e2e(
    run: Annotated[
        Path | None,
        typer.Option(
            help="Run or model to start from; else the newest finished run of fit-head in $BAS_RUNS or runs."
        ),
    ] = None,
    data: Data = _DATA,
    out: Runs = _RUNS,
    device: Device = "auto",
    decoder: Decoder = "auto",
    preset: Preset = None,
    sets: Sets = None,
) -> None:
    """Train encoder and head together on clips of the video, and keep the best epoch (stage 3)."""
    from bas.heads.finetune_run import finetune
    from bas.heads.lessons import Place

    start, settings = _finetune_settings(run, runs=out, preset=preset, sets=sets)
    finetune(start, settings, Place(data, _FEATURES, out, _device(device), decoder))


@app.command("contact-sheet")
def contact_sheet(
    out: Annotated[Path, typer.Argument(help="PNG to write.")] = Path("clips.png"),
    run: Annotated[Path | None, typer.Option(help="Run or model, as of finetune-e2e.")] = None,
    data: Data = _DATA,
    runs: Runs = _RUNS,
    decoder: Decoder = "auto",
    preset: Preset = None,
    sets: Sets = None,
) -> None:
    """Draw the first clips that finetune-e2e would see, augmented, with their labels."""
    from bas.heads.contact_sheet import contact_sheet as draw
    from bas.heads.lessons import Place

    start, settings = _finetune_settings(run, runs=runs, preset=preset, sets=sets)
    draw(start, settings, Place(data, _FEATURES, runs, "cpu", decoder), out=out)


@app.command("import-weights")
def import_weights(
    source: Annotated[Literal["lromul", "tdeed", "netvlad"], typer.Argument(help="Whose checkpoint it is.")],
    file: Annotated[Path, typer.Argument(help="lRomul's .pth, T-DEED's .pt, sn-spotting's .pth.tar.")],
    out: Annotated[Path, typer.Option(help="Folder of the model.")],
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", metavar="NAME", help="Name of an output; repeatable, in their order."),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="lromul: the weights themselves, not their moving average.")
    ] = False,
    pool: Annotated[
        Literal["MAX", "MAX++", "AVG", "AVG++"] | None,
        typer.Option(help="netvlad: its pooling, where the checkpoint has no clusters."),
    ] = None,
    window_seconds: Annotated[
        float | None, typer.Option(help="netvlad: length of its window; 15 as published.")
    ] = None,
) -> None:
    """Turn a published checkpoint into a model folder; nothing in it is executed."""
    from bas.heads.foreign import import_weights as run

    run(source, file, out, classes=classes or (), raw=raw, pool=pool, window_seconds=window_seconds)


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
    data: Data = _DATA,
    features: Features = _FEATURES,
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

        if run or out:
            raise typer.BadParameter("--predictions scores files that are there: leave out --run and --out.")
        evaluate_predictions(data, predictions, tolerance=tolerance, split=split, json=json)
        return
    from bas.heads.apply import evaluate_run

    evaluate_run(
        run or _newest(),
        data=data,
        features=features,
        split=split or "test",
        tolerance=tolerance,
        out=out,
        json=json,
        device=_device(device),
        decoder=decoder,
        flip=flip,
    )


@app.command()
def tune(
    run: Annotated[
        Path | None,
        typer.Argument(help="Folder of a finished run; else the newest finished run in $BAS_RUNS or runs."),
    ] = None,
    data: Data = _DATA,
    features: Features = _FEATURES,
    device: Device = "auto",
    decoder: Decoder = "auto",
) -> None:
    """Search post-processing on the validation matches, and store it with a run's model."""
    from bas.heads.tuning import tune_run

    tune_run(run or _newest(), data=data, features=features, device=_device(device), decoder=decoder)


@app.command()
def merge(
    runs: Annotated[list[Path], typer.Argument(help="Folders of finished runs.")],
    out: Annotated[Path, typer.Option(help="Folder of the run that results.")],
    data: Data = _DATA,
    features: Features = _FEATURES,
    device: Device = "auto",
    decoder: Decoder = "auto",
) -> None:
    """Average the scores of several runs, their weights tuned on the validation matches."""
    from bas.heads.merge import merge as run

    run(runs, out=out, data=data, features=features, device=_device(device), decoder=decoder)


@app.command()
def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of runs or models; differences are to the first.")
    ],
    data: Data = _DATA,
    features: Features = _FEATURES,
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
        device=_device(device),
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

    predict_video(video, model, out=out, device=_device(device), decoder=decoder, flip=flip)


@app.command()
def submit(
    run: Annotated[
        Path | None,
        typer.Argument(help="Folder of a run or a model; else the newest finished run in $BAS_RUNS or runs."),
    ] = None,
    split: Split = "challenge",
    check: Annotated[
        Path | None, typer.Option(help="Only check this zip, anyone's; no run, no video.")
    ] = None,
    data: Data = _DATA,
    features: Features = _FEATURES,
    out: Annotated[Path | None, typer.Option(help="The zip; else submission-SPLIT.zip in the run.")] = None,
    device: Device = "auto",
    decoder: Decoder = "auto",
) -> None:
    """Pack a split's predictions for the challenge, and refuse to leave a zip that its server would not take."""
    from bas.heads.submit import check_zip, submit_run

    if check is not None:
        if run or out:
            raise typer.BadParameter("--check looks at a zip that is there: leave out the run and --out.")
        check_zip(check, data=data, split=split)
        return
    submit_run(
        run or _newest(),
        data=data,
        features=features,
        split=split,
        device=_device(device),
        out=out,
        decoder=decoder,
    )


@app.command()
def clips(
    source: Watched,
    model: Model = None,
    split: Split = "test",
    mistakes: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The N worst mistakes instead; needs labels.")
    ] = None,
    confidence: Confidence = None,
    data: Data = _DATA,
    features: Features = _FEATURES,
    out: Annotated[
        Path | None, typer.Option(help="Folder; else clips or mistakes in the run, or in VIDEO.spots.")
    ] = None,
    device: Device = "auto",
    decoder: Decoder = "auto",
) -> None:
    """Cut every detection, or the worst mistakes, into a video of six seconds that is named by what it shows."""
    from bas.heads.watch import Source, make_clips

    watched = Source(source, model, split, data, features, _device(device), decoder)
    make_clips(watched, out=out, least=confidence, num_mistakes=mistakes)


@app.command()
def render(
    source: Watched,
    model: Model = None,
    split: Split = "test",
    confidence: Confidence = None,
    data: Data = _DATA,
    features: Features = _FEATURES,
    out: Annotated[
        Path | None, typer.Option(help="Folder; else rendered in the run, or in VIDEO.spots.")
    ] = None,
    device: Device = "auto",
    decoder: Decoder = "auto",
) -> None:
    """Burn scores, detections and labels into a copy of a video, or of every video of a split."""
    from bas.heads.watch import Source, make_renders

    watched = Source(source, model, split, data, features, _device(device), decoder)
    make_renders(watched, out=out, least=confidence)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder that takes everything.")] = Path("demo"),
    device: Device = "auto",
) -> None:
    """Render matches, extract, fit, finetune, and score the held-out ones: minutes on two CPU cores."""
    from bas.demo import run_demo

    run_demo(out, device=_device(device))


def main() -> None:
    """Run one command; a mistake that the user can mend becomes one message and an exit code."""
    try:
        app()
    except BasError as error:
        console.fail(str(error))
        sys.exit(error.exit_code)
    except PermissionError as error:
        console.fail(f"{error.filename} cannot be read: {error.strerror}. Give yourself access to it.")
        sys.exit(MissingError.exit_code)


def _finetune_settings(
    run: Path | None, *, runs: Path, preset: str | None, sets: list[str] | None
) -> tuple[Path, Pipeline]:
    """The run to start from, and its settings with what was asked for on top."""
    from bas.config import load
    from bas.heads.models import settings_of
    from bas.runs import newest_finished

    start = run or newest_finished(runs, without="e2e-")
    return start, load("finetune", base=settings_of(start), preset=preset, sets=sets or ())


def _newest() -> Path:
    from bas.runs import newest_finished

    return newest_finished(Path(os.environ.get("BAS_RUNS", _RUNS)))


def _device(name: str) -> str:
    from bas.extract.device import choose_device

    return choose_device(name)
