"""Reports: terminal tables, report.json and the HTML page."""
