"""A match that does not exist: simulated, rendered, encoded, labelled."""

from bas.synthetic.actions import ProfileName
from bas.synthetic.layouts import Layout
from bas.synthetic.synthesize import synthesize

__all__ = ["Layout", "ProfileName", "synthesize"]
