"""Commands about data and settings."""
