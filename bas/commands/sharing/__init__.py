"""Commands that pack results and import models."""
