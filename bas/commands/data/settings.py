"""`bas settings`: the reference of all settings, or of those asked for."""

from __future__ import annotations

from bas import console
from bas.config.reference import SettingRow, find_settings


def print_settings(name: str = "") -> None:
    """Print the settings whose names begin with `name`, one table a section.

    Raises:
        SettingsError: there are none.
    """
    columns = SettingRow._fields
    for section in find_settings(name):
        table = console.table(f"{section.name}: {section.summary}", *columns, left=len(columns))
        for column in table.columns[columns.index("default") :]:
            column.no_wrap = False
        for row in section.rows:
            table.add_row(*row)
        console.show(table, "")
