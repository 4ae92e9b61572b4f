"""Commands that train, tune and merge models."""

__all__ = ["contact_sheet", "cross_validate", "finetune", "fit_head", "merge", "tune"]
