"""Numbers beside the official score."""
