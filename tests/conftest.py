"""What every test shares: property tests are judged by their answers, not by the clock of a busy machine."""

import shutil
from pathlib import Path

import pytest
from hypothesis import settings

PARSED = Path(__file__).parents[1] / "dbt_project" / "target"

settings.register_profile("house", deadline=None)
settings.load_profile("house")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole loops first: beside other workers the longest file must not be the last to begin."""
    items.sort(key=lambda item: "stages" not in item.path.parts)


def parsed_before(target: Path) -> Path:
    """Gives a target folder what the last parse left in the project's own: dbt parses again only if a file has changed since."""
    for name in ("manifest.json", "partial_parse.msgpack"):
        if (saved := PARSED / name).exists():
            shutil.copy2(saved, target / name)
    return target
