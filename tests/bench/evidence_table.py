"""The benchmark's report as a table: what was promised, what was measured, whether it holds."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

Report = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Promise:
    """One line: where the figure lies in the report, and what it must not exceed (or fall short of)."""

    part: str
    words: str
    figure: Callable[[Mapping[str, Any]], float]
    bar: float
    reach: float | None = None
    at_least: bool = False

    def row(self, report: Report) -> tuple[str, ...]:
        value = self.figure(report[self.part])
        good = value >= self.bar if self.at_least else value <= self.bar
        sign = "at least" if self.at_least else "at most"
        reach = "" if self.reach is None else f"{self.reach:g}"
        return self.part, self.words, f"{value:.4g}", f"{sign} {self.bar:g}", reach, "holds" if good else "MISSED"


PROMISES = (
    *(
        Promise(part, "null programs that ever learn", lambda found: found["ever_false"], 0.02, 0.01)
        for part in ("null", "noisy", "skewed")
    ),
    Promise("effects", "true tags found by cycle 52", lambda found: found["found"], 0.99, at_least=True),
    Promise("effects", "median cycle in which one is found", lambda found: found["median_cycle"], 20, 13),
    Promise("effects", "false share of active learnings", lambda found: found["false_share"], 0.02),
    Promise("effects", "reported effect / true effect", lambda found: found["boast"], 1.15, 1.05),
    Promise("permuted", "noise worlds that ever learn", lambda found: found["share"], 0.02),
    Promise(
        "archive", "tests flagged inside", lambda found: found["alarms"]["inside"]["unhealthy"], 0.55, at_least=True
    ),
    Promise("archive", "tests flagged outside", lambda found: found["alarms"]["outside"]["unhealthy"], 0.002),
    Promise("archive", "tests covered inside", lambda found: found["alarms"]["inside"]["covered"], 0.99, at_least=True),
    Promise("archive", "tests covered outside", lambda found: found["alarms"]["outside"]["covered"], 0.02),
    Promise("engine", "models / plain script in memory", lambda found: found["ratio_in_memory"], 5, 2),
    Promise("engine", "models / plain script in the same file", lambda found: found["ratio_same_file"], 5, 2),
    Promise("growthbook", "Bayesian engine / backtest", lambda found: found["Bayesian"]["ratio"], 20, at_least=True),
    Promise("growthbook", "sequential test / backtest", lambda found: found["sequential"]["ratio"], 20, at_least=True),
)


def table(report: Report) -> str:
    """Every promise whose part was run, then what has no bar: published tags, peers, load."""
    promises = Table("part", "property", "measured", "bar", "reach for", "", title="The evidence engine's promises")
    for promise in PROMISES:
        if promise.part in report:
            promises.add_row(*promise.row(report))
    sheets = [promises]
    if "archive" in report:
        tags = Table(
            "tag", "published", "status", "effect", "first active", "reason", title="Published effects, real archive"
        )
        for tag, row in report["archive"]["published"].items():
            sign = "up" if row["published"] > 0 else "down"
            tags.add_row(tag, sign, row["status"], f"{row['effect']:+.3f}", str(row["first_active"]), row["reason"])
        sheets.append(tags)
    if "peers" in report:
        peers = Table(
            "world", "rule", "ever claims", "claims at the last look", "programs", title="Peers in null worlds"
        )
        for world in ("null", "noisy", "skewed"):
            for rule, row in report["peers"][world].items():
                peers.add_row(world, rule, f"{row['ever']:.1%}", f"{row['last_look']:.1%}", str(row["programs"]))
        sheets.append(peers)
    console = Console(file=io.StringIO(), width=136)
    for sheet in sheets:
        console.print(sheet)
    for part, figures in report.items():
        console.print(f"{part}: load {figures['load'][0]} before, {figures['load'][1]} after", highlight=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
