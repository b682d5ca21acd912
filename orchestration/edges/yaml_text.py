"""YAML, read one way everywhere: by libyaml where PyYAML was built with it, in an eighth of the time.

Source: https://pyyaml.org/wiki/PyYAMLDocumentation
"""

from pathlib import Path
from typing import Any

import yaml

from orchestration.errors import Refusal

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MEND = "Mend the file."


def read(path: Path, subject: str | None = None, remedy: str = _MEND) -> Any:
    """What a file says: dicts, lists, texts, numbers, dates, or None if it says nothing.

    Args:
        subject: What a refusal names; the path if nothing else is given.
        remedy: What is to be done about a file that is not YAML.

    Raises:
        Refusal: if the file cannot be read, is not valid YAML, or says one thing twice.
    """
    return read_nodes(path, subject, remedy)[0]


def read_nodes(path: Path, subject: str | None = None, remedy: str = _MEND) -> tuple[Any, yaml.Node | None]:
    """The same, and the node it was made of, whose parts know the lines they stand on."""
    subject = subject or str(path)
    try:
        return _parsed(path.read_text(encoding="utf-8"), subject, remedy)
    except OSError as error:
        raise Refusal(subject, f"cannot be read ({error.strerror})", "Check the path and its permissions.") from error
    except UnicodeDecodeError as error:
        raise Refusal(subject, "is not valid YAML (it is not UTF-8)", remedy) from error


def of_text(text: str, subject: str, remedy: str = _MEND) -> Any:
    """What a text says.

    Raises:
        Refusal: if it is not valid YAML.
    """
    return _parsed(text, subject, remedy)[0]


def _parsed(text: str, subject: str, remedy: str) -> tuple[Any, yaml.Node | None]:
    try:
        loader = _LOADER(text)
        try:
            node = loader.get_single_node()
            _require_single_names(node, subject)
            return (None if node is None else loader.construct_document(node)), node
        finally:
            loader.dispose()
    except ValueError as error:  # a date that no calendar has
        raise Refusal(subject, f"is not valid YAML ({error})", remedy) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise Refusal(subject, f"is not valid YAML{where}", remedy) from error


def _require_single_names(node: yaml.Node | None, subject: str) -> None:
    """Refuses a name that stands twice in one place, of which YAML would silently take the last."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _require_single_names(item, subject)
    elif isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                if key.value in lines:
                    where = f"at lines {lines[key.value]} and {line}" if lines[key.value] < line else f"at line {line}"
                    raise Refusal(subject, f"names {key.value} twice, {where}", "Keep one of them.")
                lines[key.value] = line
            _require_single_names(value, subject)
