"""Synthetic matches: simulated, rendered, encoded and labelled."""

from bas.synthetic.files.layouts import LayoutName
from bas.synthetic.simulation.actions import ProfileName
from bas.synthetic.synthesize import synthesize

__all__ = ["LayoutName", "ProfileName", "synthesize"]
