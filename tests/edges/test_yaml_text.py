"""YAML is read by one reader, whose answers are PyYAML's own."""

import re
from pathlib import Path

import pytest
import yaml

from orchestration.edges import yaml_text
from orchestration.errors import Refusal

ROOT = Path(__file__).parents[2]
FILES = sorted(path for path in (ROOT / "orchestration").rglob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_every_file_that_ships_is_read_as_the_slow_reader_reads_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    content, node = yaml_text.read_nodes(path)
    assert content == yaml.load(text, Loader=yaml.SafeLoader)
    assert yaml_text.of_text(text, "a text") == content
    slow = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(node, yaml.MappingNode)
    assert isinstance(slow, yaml.MappingNode)
    lines = [[part.start_mark.line for pair in each.value for part in pair] for each in (node, slow)]
    assert lines[0] == lines[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: 1\nb: [\n", "is not valid YAML at line 3. Mend the file."),
        (b"a: !!python/object/apply:os.getcwd []\n", "is not valid YAML at line 1. Mend the file."),
        (b"a: 1\n---\nb: 2\n", "is not valid YAML at line 2. Mend the file."),
        (b"a: \x07\n", "is not valid YAML. Mend the file."),
        (b"a: 2026-02-30\n", "is not valid YAML (day is out of range for month). Mend the file."),
        (b"a: \xff\n", "is not valid YAML (it is not UTF-8). Mend the file."),
        (None, "cannot be read (No such file or directory). Check the path and its permissions."),
    ],
)
def test_what_cannot_be_read_is_refused(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Refusal) as refusal:
        yaml_text.read(path, "the file")
    assert str(refusal.value) == f"the file -> {message}"


def test_no_other_module_reads_yaml_by_itself() -> None:
    reads = re.compile(r"yaml\.(safe_)?(load|compose)\(|SafeLoader")
    modules = (ROOT / "orchestration").rglob("*.py")
    found = {path.name for path in modules if reads.search(path.read_text(encoding="utf-8"))}
    assert found == {"yaml_text.py"}


def test_an_empty_text_says_nothing() -> None:
    assert yaml_text.of_text("", "a text") is None
