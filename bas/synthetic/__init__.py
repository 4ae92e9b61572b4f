"""Synthetic matches: simulated, rendered, encoded and labelled."""

from bas.synthetic.actions import ProfileName
from bas.synthetic.layouts import LayoutName
from bas.synthetic.synthesize import synthesize

__all__ = ["LayoutName", "ProfileName", "synthesize"]
