"""YAML presets: one folder a stage, and `tiny`, the same pipeline at postage-stamp size."""
