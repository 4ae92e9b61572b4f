"""The commands: one module each, which says from start to end what the command does.

data        settings, doctor, extract (synth and download call bas.synthetic and bas.dataset.download)
training    fit-head and its folds, finetune-e2e, contact-sheet, tune, merge
scoring     eval, compare, predict
sharing     submit, import-weights
watching    clips, render, demo
"""

__all__ = ["data", "scoring", "sharing", "training", "watching"]
