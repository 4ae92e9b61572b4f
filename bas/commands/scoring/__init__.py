"""Commands that score, compare and predict."""
