"""Bodies of messages: strict jinja2 templates, one text and if wanted one HTML file for each program or for all of them.

``<program>.txt.j2`` and ``<program>.html.j2``, else ``default.txt.j2`` and ``default.html.j2``, in the folder ``LOOP_TEMPLATES``
or ``orchestration/deploy/templates/``. They may use ``text`` (the creative), ``program``, ``segment`` and ``send_id``, and must use
``unsubscribe_url``.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import jinja2
from jinja2 import meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from orchestration.errors import Refusal

VARIABLE = "LOOP_TEMPLATES"
FOLDER = Path(__file__).parent / "templates"
INPUTS = frozenset({"text", "program", "segment", "send_id", "unsubscribe_url"})


@dataclass(frozen=True, slots=True)
class Templates:
    """The templates of one program."""

    program: str
    _text: jinja2.Template
    _html: jinja2.Template | None

    @classmethod
    def load(cls, program: str, folder: Path | None = None) -> Self:
        """Reads a program's templates.

        Raises:
            Refusal: if there is none, or one cannot be parsed, uses what there is not, or offers no way to unsubscribe.
        """
        place = folder or Path(os.environ.get(VARIABLE, FOLDER))
        text = _read(place, program, "txt")
        if text is None:
            raise Refusal(
                str(place), f"holds neither {program}.txt.j2 nor default.txt.j2", f"Write one, or set {VARIABLE}."
            )
        return cls(program, text, _read(place, program, "html"))

    def render(self, *, text: str, segment: str, send_id: str, unsubscribe_url: str) -> tuple[str, str | None]:
        """The text body and the HTML body, if there is one."""
        inputs = {
            "text": text,
            "program": self.program,
            "segment": segment,
            "send_id": send_id,
            "unsubscribe_url": unsubscribe_url,
        }
        try:
            return self._text.render(inputs).strip() + "\n", self._html.render(inputs) if self._html else None
        except jinja2.TemplateError as error:
            raise Refusal(
                f"templates of {self.program}", f"cannot be rendered ({error.message})", "Mend them."
            ) from error


def _read(folder: Path, program: str, kind: str) -> jinja2.Template | None:
    path = next((path for name in (program, "default") if (path := folder / f"{name}.{kind}.j2").is_file()), None)
    if path is None:
        return None
    environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=kind == "html")
    try:
        content = path.read_text(encoding="utf-8")
        used = meta.find_undeclared_variables(environment.parse(content))
        template = environment.from_string(content)
    except (jinja2.TemplateSyntaxError, UnicodeDecodeError) as error:
        raise Refusal(str(path), f"is not a valid template ({error})", "Mend it.") from error
    if unknown := sorted(used - INPUTS):
        raise Refusal(str(path), f"uses {unknown[0]}, which there is not", f"Use {', '.join(sorted(INPUTS))}.")
    if "unsubscribe_url" not in used:
        raise Refusal(str(path), "offers no way to unsubscribe", "Show unsubscribe_url in it.")
    return template
