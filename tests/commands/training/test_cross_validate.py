"""Cross-validation by the command line's `--fold`."""

from __future__ import annotations

from pathlib import Path

import pytest

from bas.commands.training.cross_validate import fit_folds
from bas.config import Pipeline
from bas.errors import SettingsError
from bas.workspace import Workspace


@pytest.mark.parametrize("fold", ["9/2", "2/2", "0/1", "0/0", "one", "-1/2"])
def test_an_impossible_fold_is_rejected_before_the_data_is_opened(tmp_path: Path, fold: str) -> None:
    workspace = Workspace(tmp_path / "missing", tmp_path, tmp_path, "cpu", "cpu")
    with pytest.raises(SettingsError, match=f"Invalid --fold {fold}.*Use `all`, or K/N with"):
        fit_folds(Pipeline(), workspace, fold=fold)
