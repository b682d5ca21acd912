"""What the growth benchmark found, as a table and a picture."""

from pathlib import Path

from rich.table import Table

from tests.bench.growth_benchmark import Measured

PROMISES: tuple[tuple[str, str, float, float | None, bool], ...] = (
    ("ratio_hand_written", "full build / script by hand, the same marts", 1.3, 0.8, False),
    ("ratio_all_marts", "all growth marts / the script's four", 3.0, 2.0, False),
    ("ratio_pandas", "pandas / full build, the same marts", 4.0, None, True),
    ("ratio_new_day", "new day / full build", 0.04, 0.02, False),
    ("ratio_history", "new day after twice the history / after once", 1.15, 1.0, False),
    ("startup_seconds", "whole command with nothing new, seconds", 12.0, 5.0, False),
    ("peak_gb", "peak memory, GB", 4.0, 2.0, False),
)


def promises(measured: Measured) -> Table:
    """One row per promise: bar, reach, figure, and whether it holds."""
    table = Table("what", "bar", "reach", "found", "", title=_title(measured))
    for name, words, bar, reach, is_least in PROMISES:
        found = float(getattr(measured.ratios, name))
        holds = found >= bar if is_least else found <= bar
        sign = "at least" if is_least else "at most"
        table.add_row(
            words,
            f"{sign} {bar:g}",
            "" if reach is None else f"{reach:g}",
            f"{found:.3g}",
            "holds" if holds else "MISSED",
        )
    return table


def steps(measured: Measured) -> Table:
    """One row per part: engine seconds, and the longest steps."""
    table = Table("part", "seconds", "longest steps")
    for part, seconds in measured.seconds.items():
        longest = sorted(seconds.items(), key=lambda step: -step[1])[:4]
        table.add_row(part, f"{sum(seconds.values()):.2f}", ", ".join(f"{name} {value:.2f}" for name, value in longest))
    return table


def picture(measured: Measured, path: Path) -> None:
    """Engine seconds of each part as a bar, stacked by step; a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    parts = list(measured.seconds)[::-1]
    for place, part in enumerate(parts):
        left = 0.0
        for number, (_, value) in enumerate(sorted(measured.seconds[part].items(), key=lambda step: -step[1])):
            axes.barh(place, value, left=left, color=f"C{number % 10}", edgecolor="white", linewidth=0.4)
            left += value
        axes.text(left, place, f" {left:.1f} s", va="center")
    axes.set_yticks(range(len(parts)), parts)
    axes.set_xlabel("seconds in the engine, by step")
    axes.set_title(_title(measured))
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _title(measured: Measured) -> str:
    ratios = measured.ratios
    return f"{ratios.events:,} events over {ratios.days} days, {ratios.rows_per_second:,.0f} events a second"
