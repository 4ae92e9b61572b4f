"""The table that ends `pytest -m fault` (or `-m campaign`): every fault, what bas does, and its tests that passed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from faults.catalogue import ROWS, SCORED_ON_PEERS, Fault

_PROPERTY = "fault"  # user properties reach the controller of xdist, markers do not
_CAMPAIGN = ("fault", "campaign")


@pytest.hookimpl(tryfirst=True)  # before -m deselects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what has a number with `campaign` as well, and note its numbers for the report."""
    for item in items:
        numbers = {number for marker in item.iter_markers("fault") for number in marker.args}
        item.user_properties.extend((_PROPERTY, number) for number in sorted(numbers))
        if numbers:
            item.add_marker("campaign")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table if the campaign was asked for."""
    if config.option.markexpr not in _CAMPAIGN:
        return
    passed, failed, skipped = (
        _count(terminalreporter, *outcomes) for outcomes in (("passed",), ("failed", "error"), ("skipped",))
    )

    def survived(rows: Sequence[Fault]) -> int:
        return sum(passed[row.number] > 0 and not failed[row.number] for row in rows)

    terminalreporter.section("faults")
    for row in (*ROWS, *SCORED_ON_PEERS):
        tests = f"{passed[row.number]}/{passed[row.number] + failed[row.number]}"
        note = f", {skipped[row.number]} skipped" if skipped[row.number] else ""
        terminalreporter.write_line(f"{row.number}  {row.what:<54}{row.answer:<76}{tests:>7}{note}")
    terminalreporter.write_line(
        f"faults survived with nothing lost: {survived(ROWS)}/{len(ROWS)}; "
        f"of those that other systems were put to: {survived(SCORED_ON_PEERS)}/{len(SCORED_ON_PEERS)}"
    )


def _count(reporter: pytest.TerminalReporter, *outcomes: str) -> Counter[str]:
    """Tests with one of the outcomes, by number."""
    tests = {
        (report.nodeid, number)
        for outcome in outcomes
        for report in reporter.getreports(outcome)
        if isinstance(report, pytest.TestReport)
        for name, number in report.user_properties
        if name == _PROPERTY
    }
    return Counter(str(number) for _, number in tests)
