"""Model folders, and checkpoints that other projects published."""
