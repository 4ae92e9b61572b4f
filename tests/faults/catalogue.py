"""Catalogue of faults: what goes wrong with videos, labels, caches, trainings and strangers' files, and what bas does.

A test that brings a fault about carries its number: `@pytest.mark.fault("V02")`. P01 to P30 are the faults that other
systems of the field were put to as well.
"""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """One row of the catalogue."""

    number: str
    what: str
    """What goes wrong."""
    answer: str
    """What bas does."""


_VIDEO = (
    (
        "V01",
        "MP4 without its index, an unfinished upload",
        "refused: index missing, bytes present of expected",
    ),
    (
        "V02",
        "MKV, fast-start MP4 or TS cut anywhere",
        "refused: seconds present of declared; TS by the manifest",
    ),
    ("V03", "empty file, web page, LFS pointer, text as a video", "refused, saying what the file is"),
    (
        "V04",
        "flipped bytes in the middle",
        "pictures stay at their times, damaged ones are counted and left out",
    ),
    (
        "V05",
        "packets lost, a hole in the times",
        "later pictures are not shifted; the hole is refused or flagged",
    ),
    (
        "V06",
        "first packets lost, a start other than 0",
        "up to 0.5 s subtracted; later starts need time_origin",
    ),
    ("V07", "variable frame rate", "pictures are placed by their times, on a fixed clock"),
    ("V08", "declared number of pictures missing or wrong", "only noted, never used"),
    ("V09", "decoder leaves out first, last or some pictures", "missing times are decoded again on the CPU"),
    ("V10", "another picture after a seek", "a read from the middle equals one from the start, bit for bit"),
    (
        "V11",
        "audio alone, several video streams, cover art",
        "refused; the largest stream is used, and noted",
    ),
    (
        "V12",
        "a half is missing, or named otherwise",
        "refused with expected and found names, and the renaming",
    ),
    ("V13", "size changes within the video", "each picture is scaled from its own size"),
    ("V14", "labels of another match in the folder", "a warning that names the other match"),
    ("V15", "decoder hangs", "ends with the name of the file after a minute without a picture"),
    ("V16", "Ctrl-C while decoding", "stops at once with code 130; finished segments are kept"),
    (
        "V17",
        "NVDEC missing, busy or without the codec",
        "auto goes on with the CPU and says why; nvdec is an error",
    ),
    ("V18", "CPU and NVDEC give other pixels", "both deliver the raw luma plane, equal bit for bit"),
)

_LABELS = (
    ("L01", "position past the end of the video", "refused with entry and excess; one frame is tolerated"),
    ("L02", "position negative, fractional or no number", "refused with entry and value"),
    ("L03", "unknown or misspelled label", "refused with the nearest label"),
    ("L04", "duplicates, two events on one frame", "equal ones are kept once, different ones are all kept"),
    ("L05", "gameTime contradicts position", "refused; a single one is told, and its position used"),
    (
        "L06",
        "milliseconds to frames in floats",
        "integer arithmetic; the scorer keeps the official expression",
    ),
    ("L07", "written positions fall to another frame", "every known reader gets the written frame back"),
    ("L08", "teams named home/away or left/right", "recognized; predicting teams asks for left/right"),
    ("L09", "half that the match does not have", "refused with entry and half"),
    (
        "L10",
        "duplicate keys, NaN, BOM, cut or huge JSON",
        "refused by name; a byte order mark changes nothing",
    ),
    ("L11", "confidence NaN, infinite or outside [0, 1]", "never written; refused in a submission"),
    ("L12", "no predictions for a match", "scored 0 and noted"),
    ("L13", "submission lacks a match or has a wrong path", "refused by name before anything is replaced"),
    ("L14", "one class twice on a frame", "the highest is written; told where a file has both"),
    ("L15", "class without ground truth", "counts as in the official score, and is noted"),
)

_CACHE = (
    (
        "C01",
        "kill -9 at any moment of an extraction",
        "cache absent or whole; at most one segment is repeated",
    ),
    ("C02", "disk full or failing", "code 74, no partial file, finished segments kept"),
    (
        "C03",
        "cut, flipped or zeroed bytes in a stored file",
        "refused or repaired, never read as something else",
    ),
    ("C04", "several processes extract one video", "each segment is computed once, and one process writes"),
    ("C05", "file system refuses locks", "a lease file takes the place of the lock"),
    ("C06", "rows of other weights, sizes or rates", "other settings have another fingerprint and folder"),
    ("C07", "video replaced under the same name", "noticed by size and content, and extracted again"),
    ("C08", "cache used across fork and spawn", "each process makes its own map"),
    (
        "C09",
        "rows with NaN, infinity or overflow",
        "refused with their time; overflow is clamped and counted",
    ),
    ("C10", "resumed extraction against an uninterrupted one", "equal bit for bit"),
    ("C11", "cache of a stranger: links, external storage", "refused before a row is read"),
    ("C12", "file replaced by another machine (ESTALE)", "opened once more, then an error"),
)

_TRAINING = (
    ("T01", "kill -9 at any moment of saving", "an intact checkpoint is found, and training goes on"),
    ("T02", "newest checkpoint damaged", "named, and the one before is used; none intact is an error"),
    ("T03", "resumed run against an uninterrupted one", "the same weights, bit for bit"),
    ("T04", "resumed with other settings or labels", "another run is started; the old one is kept"),
    ("T05", "loss becomes NaN or infinite", "the step changes no weight; 20 in a row end the run with 70"),
    ("T06", "validation is 0 or NaN in all epochs", "NaN never wins; the last epoch is kept"),
    ("T07", "out of memory", "code 70 and the settings that need less; checkpoints kept"),
    ("T08", "reader of clips fails or hangs", "the run ends with the error and the file"),
    ("T09", "SIGTERM or SIGUSR1", "saves at the step, ends with 75, resumes to the same weights"),
    ("T10", "one of several processes dies", "the others end with 70; the same command resumes"),
    ("T11", "processes with different numbers of steps", "an uneven batch is refused at the start"),
    (
        "T12",
        "process 0 works long while others wait",
        "they wait by a timeout of their own, longer than a step's",
    ),
    ("T13", "processes with different settings", "refused at the start, naming the ranks"),
    ("T14", "error in one process while others wait", "the others end with that error"),
    ("T15", "two runs into one folder", "the second is refused with 73"),
    ("T16", "best epoch of a former attempt", "the best is taken from the history of the checkpoint itself"),
    ("T17", "log cannot be written", "training goes on"),
)

_SECURITY = (
    ("S01", "code in a checkpoint", "refused without executing it"),
    ("S02", "arrays of objects", "refused"),
    ("S03", "hostile video: playlist, URL, huge pictures", "refused; no other file or host is opened"),
    ("S04", "bytes that attack the HDF5 library", "a hash is checked before HDF5 reads a byte"),
    ("S05", "HDF5 that reads other files or fills memory", "refused; no other file is opened"),
    ("S06", "archive that writes outside its folder", "refused, nothing is written"),
    ("S07", "small input that expands without end", "refused by its declared or measured size"),
    ("S08", "password in logs, files or arguments", "never printed or stored; no option takes it"),
    (
        "S09",
        "no access, server error, broken download",
        "77 or 69 with what to do; resumed and compared by hash",
    ),
    ("S10", "telemetry of other packages", "no host but the hub is contacted"),
    ("S11", "match name that leaves its folder", "refused"),
    ("S12", "YAML that builds objects", "plain values only"),
    ("S13", "markup in names, in the report page", "stays text; the page asks no server"),
    ("S14", "temporary names that can be guessed", "random, exclusive, and links are not followed"),
    ("S15", "replaced dependencies or weights", "exact versions, no URLs; weights are compared by hash"),
    ("S16", "strangers on the network of a training", "the documentation asks for a private network"),
)

_SCORED_ON_PEERS = (
    ("P01", "video missing", "named, code 66"),
    ("P02", "video cut at half", "refused with the seconds present"),
    ("P03", "no video, empty or without index", "refused, saying what the file is"),
    ("P04", "damage in the middle", "pictures stay at their times, damaged ones are left out"),
    ("P05", "variable rate, wrong declared count", "pictures are placed by their times"),
    ("P06", "first packets missing", "no picture is shifted"),
    ("P07", "Ctrl-C while decoding", "stops with code 130"),
    ("P08", "kill -9 in extraction, then again", "finished segments are kept"),
    ("P09", "kill -9 in extraction, then training", "training extracts the rest first"),
    ("P10", "disk full in extraction", "code 74, nothing half-written"),
    ("P11", "part of the stored rows missing or empty", "computed again"),
    ("P12", "other settings, old cache", "not used"),
    ("P13", "two processes extract one match", "each segment is computed once"),
    ("P14", "label past the end", "refused with the excess"),
    ("P15", "negative position", "refused"),
    ("P16", "position is not a number", "refused"),
    ("P17", "unknown label", "refused with the nearest"),
    ("P18", "two events on one frame", "both are kept"),
    ("P19", "gameTime contradicts position", "told, never silent"),
    ("P20", "milliseconds to frames", "exact"),
    ("P21", "NaN confidence", "never written"),
    ("P22", "kill -9 while a checkpoint is saved", "an intact one is found"),
    ("P23", "SIGTERM between steps, then again", "no step is lost"),
    ("P24", "resumed against uninterrupted", "the same weights, bit for bit"),
    ("P25", "loss becomes NaN", "no weight changes"),
    ("P26", "validation never improves", "the last epoch is kept"),
    ("P27", "reader of training data dies", "the run ends with the error"),
    ("P28", "code in a checkpoint", "refused without executing it"),
    ("P29", "'../' or '/' in a match name", "refused"),
    ("P30", "password on the command line", "no option takes it"),
)

ROWS = tuple(Fault(*row) for part in (_VIDEO, _LABELS, _CACHE, _TRAINING, _SECURITY) for row in part)
SCORED_ON_PEERS = tuple(Fault(*row) for row in _SCORED_ON_PEERS)
