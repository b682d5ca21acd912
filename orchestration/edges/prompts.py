"""Prompt files: strict templates with declared inputs, versioned by the digest of the file."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import jinja2
from jinja2 import meta
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field

from orchestration.edges import yaml_text
from orchestration.edges.faults import require
from orchestration.errors import Refusal

FOLDER = Path(__file__).parents[2] / "prompts"
_FILE = re.compile(r"---\n(?P<front>.*?)\n---\n(?P<body>.*)", re.DOTALL)
_MEND = "Mend the prompt file; its front matter declares name, version_notes and inputs."


class _Front(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version_notes: str
    inputs: tuple[str, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as it stands in its file.

    Attributes:
        name: Name of the file without its endings.
        version_notes: Why it reads as it does.
        inputs: Names that a rendering needs, no more and no less.
        hash: sha256 of the file: its version.
    """

    name: str
    version_notes: str
    inputs: tuple[str, ...]
    hash: str
    _template: jinja2.Template

    @classmethod
    def load(cls, name: str, folder: Path | None = None) -> Self:
        """Reads ``<name>.md.j2``, by default from the project's ``prompts/``.

        Raises:
            Refusal: if the file is missing, its front matter is incomplete or has unknown keys, its template cannot be
                parsed, or the template and the declared inputs differ.
        """
        path = (folder or FOLDER) / f"{name}.md.j2"
        try:
            content = path.read_bytes()
            text = content.decode("utf-8").replace("\r\n", "\n")
        except OSError as error:
            raise Refusal(
                str(path), f"cannot be read ({error.strerror})", "Check the prompt's name and folder."
            ) from error
        except UnicodeDecodeError as error:
            raise Refusal(str(path), "is not UTF-8", _MEND) from error
        front, body = _parts(path, text)
        if front.name != name:
            raise Refusal(str(path), f"calls itself {front.name}", "Give the file and its front matter the same name.")
        template = _compiled(path, body, front.inputs)
        return cls(name, front.version_notes, front.inputs, hashlib.sha256(content).hexdigest(), template)

    def render(self, **inputs: Any) -> str:
        """The prompt with its inputs filled in, without white space around it.

        Raises:
            Refusal: if an input is missing, was never declared, or lacks something that the template asks of it.
        """
        subject = f"prompt {self.name}"
        missing, extra = set(self.inputs) - set(inputs), set(inputs) - set(self.inputs)
        if missing:
            raise Refusal(subject, f"needs {', '.join(sorted(missing))}", "Pass every declared input.")
        if extra:
            raise Refusal(
                subject,
                f"does not declare {', '.join(sorted(extra))}",
                "Declare it in the front matter, or leave it out.",
            )
        try:
            return self._template.render(**inputs).strip()
        except jinja2.TemplateError as error:
            raise Refusal(
                subject, f"cannot be rendered ({error.message})", "Check the inputs against the template."
            ) from error


def _parts(path: Path, text: str) -> tuple[_Front, str]:
    found = _FILE.fullmatch(text)
    if not found:
        raise Refusal(str(path), "has no front matter", _MEND)
    content = yaml_text.of_text("\n" + found["front"], str(path), _MEND)  # lines are counted as in the file
    return require(_Front, content, str(path), _MEND), found["body"]


def _compiled(path: Path, body: str, declared: tuple[str, ...]) -> jinja2.Template:
    # The text goes to a model or a reader as it is, so nothing is escaped for HTML; the sandbox keeps templates from
    # running code.
    environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["capitalise"] = _capitalise  # jinja's own would lower the rest
    try:
        used = meta.find_undeclared_variables(environment.parse(body))
        template = environment.from_string(body)
    except jinja2.TemplateSyntaxError as error:
        raise Refusal(str(path), f"is not a valid template at line {error.lineno} ({error.message})", _MEND) from error
    if used != set(declared):
        names = ", ".join(sorted(used ^ set(declared)))
        raise Refusal(
            str(path),
            f"template and declared inputs differ in {names}",
            "Declare what the template uses, and nothing else.",
        )
    return template


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]
