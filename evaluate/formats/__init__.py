"""Label and prediction files, read as the official scorer reads them, and written."""
