"""The house's walls: who may import whom, what every model must have, what may not be committed."""

import ast
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "orchestration"
MODELS = ROOT / "dbt_project" / "models"
SHELLS = {"definitions.py", "resources.py", "cadence.py", "running.py", "run_storage.py"}  # besides every assets.py
STAGES = ("measure", "learn", "generate", "deploy")
MAY_READ = {"measure": set(), "learn": {"measure"}, "generate": {"learn"}, "deploy": set()}


TOP = {
    *("dbt_project", "docs", "orchestration", "prompts", "tests", "warehouse"),
    *("pyproject.toml", "README.md", "CHANGELOG.md", "Makefile", "requirements.lock"),
}  # and what begins with a dot


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone: what is committed is not known")
def test_nothing_is_committed_beside_the_fixed_top_level() -> None:
    command = ["git", "-c", "safe.directory=*", "ls-files"]
    tracked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    top = {file.partition("/")[0] for file in tracked}
    assert {name for name in top - TOP if not name.startswith(".")} == set()


def imports_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_dagster_stays_in_the_shells(file: Path) -> None:
    uses_dagster = any(name.split(".")[0] in {"dagster", "dagster_dbt"} for name in imports_of(file))
    if file.name not in SHELLS | {"assets.py"}:
        assert not uses_dagster


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_only_the_sandbox_knows_its_truth(file: Path) -> None:
    if file.parent.name == "sandbox" and PACKAGE in file.parents:
        return
    assert not any(name.startswith("orchestration.sandbox.truth") for name in imports_of(file))


@pytest.mark.parametrize("stage", STAGES)
def test_stages_read_one_way(stage: str) -> None:
    others = {other for other in STAGES if other != stage} - MAY_READ[stage]
    for file in (PACKAGE / stage).glob("*.py"):
        if file.name == "assets.py":
            continue
        read = {
            name.split(".")[1] for name in imports_of(file) if name.startswith("orchestration.") and name.count(".")
        }
        assert not read & others, f"{file.name} reads {read & others}"


# Copies are what they hold; stg_events__timed, which drops them, has the key.
WITHOUT_KEY = {"stg_events__received", "stg_events__keys"}


@pytest.mark.parametrize("file", sorted(MODELS.rglob("*.sql")), ids=lambda file: file.stem)
def test_every_model_says_its_grain_and_tests_its_key(file: Path) -> None:
    entries = [
        model
        for page in file.parent.glob("*.yml")
        for model in (yaml.safe_load(page.read_text(encoding="utf-8")) or {}).get("models", [])
        if model["name"] == file.stem
    ]
    assert len(entries) == 1, "one entry in the YAML beside it"
    (entry,) = entries
    assert entry["description"].strip().startswith("One row")
    checks = str(entry.get("data_tests", [])) + str(
        [column.get("data_tests", []) for column in entry.get("columns", [])]
    )
    assert file.stem in WITHOUT_KEY or "unique" in checks
    assert all(column.get("description") for column in entry["columns"])


def test_sources_are_read_by_staging_alone() -> None:
    readers = [
        file.stem
        for file in MODELS.rglob("*.sql")
        if "source(" in file.read_text(encoding="utf-8") and "staging" not in file.parts and file.stem != "int_policy"
    ]
    assert readers in ([], ["int_as_of"])


COMMITTED = [
    file
    for pattern in ("*.py", "*.sql", "*.yml", "*.yaml", "*.toml", "*.md", "*.lock", "Makefile", ".ci/run")
    for file in ROOT.rglob(pattern)
    if not {".venv", "target", "data", ".git"} & set(file.relative_to(ROOT).parts)
]


def test_no_registry_and_no_machine_path_is_committed() -> None:
    forbidden = re.compile(r"py[p]i\.org|python[h]osted|registry\.np[m]js|(?<![\w.])/(?:wor[k]|hom[e])/")
    assert [str(file) for file in COMMITTED if forbidden.search(file.read_text(encoding="utf-8"))] == []


def test_files_can_be_read_in_one_sitting() -> None:
    assert {
        file.name: len(file.read_text().splitlines()) for file in FILES if len(file.read_text().splitlines()) > 330
    } == {}
