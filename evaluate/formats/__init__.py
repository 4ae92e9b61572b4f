"""Label and prediction files, read as the official scorer reads them, and written."""

from bas.evaluate.formats.documents import MAX_DOCUMENT_BYTES
from bas.evaluate.formats.exports import SHOWN_MS, write_exports, write_osl
from bas.evaluate.formats.osl import PredictedGame
from bas.evaluate.formats.soccernet import (
    LABEL_FILES,
    RESULTS_FILE,
    join_halves,
    parse_predictions,
    read_results,
    read_scored_labels,
    results_document,
)

__all__ = [
    "LABEL_FILES",
    "MAX_DOCUMENT_BYTES",
    "RESULTS_FILE",
    "SHOWN_MS",
    "PredictedGame",
    "join_halves",
    "parse_predictions",
    "read_results",
    "read_scored_labels",
    "results_document",
    "write_exports",
    "write_osl",
]
