"""What a marketer reads at the end of the demo."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from orchestration.learn.briefing import sentence
from orchestration.sandbox.demo import CycleReport, Demo


def cycle_line(cycle: CycleReport) -> str:
    """One finished cycle in one line."""
    return (
        f"cycle {cycle.cycle}: {cycle.reward * 100:.2f} clicks per 100 people, "
        f"baseline {cycle.baseline * 100:.2f} ({cycle.reward / cycle.baseline - 1:+.0%}), "
        f"{cycle.learnings_active} learning{'s' if cycle.learnings_active != 1 else ''} active"
    )


def print_summary(console: Console, demo: Demo) -> None:
    """What was learned, how sure, what it earned, and what cannot be said yet."""
    active = [row for row in demo.learnings if row.status == "active"]
    everywhere = {row.tag for row in active if row.segment == "all"}
    console.rule("What was learned")
    for row in active:
        if row.segment == "all":
            own = [part.segment for part in active if part.tag == row.tag and part.segment != "all"]
            proved = f"; proved within {', '.join(own)} too" if own else ""
            console.print(f"- {sentence(row)}{proved}", markup=False)
        elif row.tag not in everywhere:
            console.print(f"- {sentence(row)}", markup=False)
    if not active:
        console.print("- Nothing is proved yet. That is an answer too: a claim here must hold at every look.")
    console.rule("What cannot be said yet")
    for row in demo.learnings:
        if row.segment == "all" and row.tag not in everywhere and row.tag in demo.program.tags:
            console.print(f"- {row.tag}: {row.reason}", markup=False)
    console.rule("What it earned")
    table = Table()
    for column in (
        "cycle",
        "sent",
        "baseline",
        "uplift",
        "of oracle",
        "of ideal",
        "learnings",
        "false",
    ):
        table.add_column(column, justify="right")
    for cycle in demo.cycles:
        table.add_row(
            str(cycle.cycle),
            f"{cycle.reward:.4f}",
            f"{cycle.baseline:.4f}",
            f"{cycle.reward / cycle.baseline - 1:+.1%}",
            f"{cycle.reward / cycle.oracle:.0%}",
            f"{cycle.reward / cycle.ideal:.0%}",
            str(cycle.learnings_active),
            str(cycle.learnings_false),
        )
    console.print(table)
    console.print(
        "Oracle: the best arm, given the same creatives. Ideal: the best creatives the generator could have made."
    )
    console.print(
        f"{demo.messages:,} messages. The rates are the simulated world's own truth, which the loop never sees. What it measured:"
    )
    for contrast in demo.value:
        other = "the baseline text" if contrast["against"] == "baseline" else "creatives written without the learnings"
        lift = percent_of(contrast["lift"]) if contrast["lift"] is not None else "nothing to compare with"
        console.print(
            f"- With the learnings against {other}: {lift} ({contrast['difference']:+.4f} clicks a person, {_told(contrast)})"
        )

    if len(demo.programs) > 1:
        _print_programs(console, demo)


def _told(contrast: Mapping[str, Any]) -> str:
    """The interval of a contrast and what it proves, or why there is none yet."""
    low, high = contrast["difference_low"], contrast["difference_high"]
    if low is None:
        return str(contrast["reason"]).split(";")[0]
    verdict = "proved" if low > 0 else "worse, proved" if high < 0 else "not proved yet"
    return f"between {low:+.4f} and {high:+.4f} at every look: {verdict}"


def _print_programs(console: Console, demo: Demo) -> None:
    console.rule("Each program against its own control")
    table = Table()
    for column in ("program", "objective", "with the learnings", "every look", "verdict", "proved tags", "false"):
        table.add_column(column)
    for result in demo.programs:
        row = result.against("control")
        table.add_row(
            result.program,
            result.objective,
            percent_of(row["lift"]) if row and row["lift"] is not None else "",
            f"{row['difference_low']:+.4f} to {row['difference_high']:+.4f}"
            if row and row["difference_low"] is not None
            else "",
            str(row["verdict"]).replace("_", " ") if row else "no experiment has closed yet",
            ", ".join(result.active) or "none yet",
            ", ".join(result.false) or "none",
        )
    console.print(table)


def percent_of(share: float) -> str:
    """A share as a signed percentage."""
    return f"{share:+.1%}"
