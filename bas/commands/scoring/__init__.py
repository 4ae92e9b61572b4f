"""Commands that score, compare and predict."""

__all__ = ["compare", "evaluate", "evaluate_predictions", "predict"]
