"""Pictures of learnings, as PNG data that Dagster's UI and the report can show inline."""

import base64
import io
from collections.abc import Sequence

from orchestration.records import Learning

COLOURS = {"active": "#1b7f4d", "contested": "#c77d0a", "retired": "#8a8a8a", "candidate": "#b8c4d0"}


def forest_plot(learnings: Sequence[Learning], title: str) -> str:
    """Effects with their anytime-valid intervals, one row per tag and segment, as a Markdown image.

    Args:
        learnings: Rows of one program and cycle; rows without an interval are left out.
    """
    from matplotlib.figure import Figure

    shown = [
        (row, row.ci_low, row.effect, row.ci_high)
        for row in sorted(learnings, key=lambda row: (row.segment != "all", row.segment, row.effect or 0.0))
        if row.effect is not None and row.ci_low is not None and row.ci_high is not None
    ][:40]
    figure = Figure(figsize=(7, 1.2 + 0.28 * max(len(shown), 1)))
    axes = figure.subplots()
    for height, (row, low, effect, high) in enumerate(shown):
        colour = COLOURS[row.status]
        axes.plot([low, high], [height, height], color=colour, linewidth=2)
        axes.plot([effect], [height], "o", color=colour)
    axes.set_yticks(
        range(len(shown)), [f"{row.tag} ({row.segment}, {row.status})" for row, _, _, _ in shown], fontsize=8
    )
    axes.axvline(0, color="#444444", linewidth=0.8)
    axes.set_xlim(-1, 1)
    axes.set_xlabel("effect on the log rate")
    axes.set_title(title, fontsize=10)
    figure.tight_layout()
    return markdown_image(figure, title)


def markdown_image(figure: object, title: str) -> str:
    """A matplotlib figure as a Markdown image with its data inside."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)  # type: ignore[attr-defined]
    return f"![{title}](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})"
