"""The briefs as files for people: ``learnings.md`` as things stand, and one page per cycle that can be compared with the last."""

import os
from collections.abc import Mapping
from pathlib import Path

from orchestration.edges.warehouse import Warehouse
from orchestration.learn.briefing import rendered
from orchestration.learn.briefs import stored_changes
from orchestration.programs.definition import Program
from orchestration.records import Brief


def page_of(
    warehouse: Warehouse, program: Program, cycle: int, briefs: Mapping[str, Brief], sentences: Mapping[str, list[str]]
) -> str:
    """One program's briefs of one cycle in Markdown."""
    changes = stored_changes(warehouse, program.program, cycle)
    parts = [
        rendered(brief, sentences[segment], [str(change) for change in changes.get(segment, [])])
        for segment, brief in briefs.items()
    ]
    return f"# What {program.program} has learned\n\n{program.description}\n\n" + "\n".join(parts)


def write_pages(published: Path, cycle: int, pages: Mapping[str, str]) -> Path:
    """Writes ``learnings.md`` and ``briefs/<program>/<cycle>.md`` beside the published marts; each file is whole at any time.

    Args:
        published: Folder of the published copy.
        pages: Program -> its page.

    Returns:
        The path of ``learnings.md``.
    """
    for program, page in pages.items():
        _write(published / "briefs" / program / f"{cycle}.md", page)
    whole = published / "learnings.md"
    _write(whole, "\n".join(pages.values()))
    return whole


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)
