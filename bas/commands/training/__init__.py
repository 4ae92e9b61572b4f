"""Commands that train, tune and merge models."""
