"""Takes the person out of a provider's JSON before it reaches the warehouse, by the field list of the provider.

Two nets: fields are named in ``person_fields.yaml``; and any text that looks like an address is replaced wherever it stands, since
servers quote addresses in their answers and links carry them. A user agent becomes a pseudonym and the machines it names.
"""

import csv
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qs, unquote

from pydantic import BaseModel, ConfigDict

from orchestration.edges import yaml_text

FIELDS = Path(__file__).with_name("person_fields.yaml")
AGENTS = Path(__file__).parents[2] / "dbt_project" / "seeds" / "machine_agents.csv"
# Local part (perhaps with another address coded into it, as in a return path), @ or %40, domain. Possessive, and begun only where a
# run of letters begins: a long text without an address is passed over once.
_ADDRESS = re.compile(
    r"(?:(?<![\w.+%-])|(?<=%40))(?:[\w.+-]|%(?!40))++(?:=[\w-]++(?:\.[\w-]{2,})++)?(?:@|%40)[\w-]++(?:\.[\w-]++)++"
)
_FORM = "application/x-www-form-urlencoded"


class Unreadable(Exception):
    """A body that is no JSON, or of a provider without a field list; the message is the reason."""


class _Fields(BaseModel):
    """One provider's list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    person: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()


class Redactor:
    """Redacts bodies with one pseudonym key.

    Args:
        key: The pseudonym key of the warehouse.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        # People and devices recur; the digest of an address costs more than looking it up.
        self.pseudonym = lru_cache(maxsize=100_000)(self._pseudonym)
        self._agent = lru_cache(maxsize=10_000)(self._described_agent)

    def redacted(self, provider: str, headers: Mapping[str, str], body: bytes) -> str:
        """A body as JSON text without the person.

        Numbers are kept to the precision of a double.

        Raises:
            Unreadable: if the body is no JSON in UTF-8, or holds what JSON cannot say, or the provider has no field list.
        """
        try:
            text = body.decode()
            content = _form(text) if headers.get("content-type", "").startswith(_FORM) else _json(text)
            told = json.dumps(
                self._walk(content, "", _actions(provider)), ensure_ascii=False, separators=(",", ":"), allow_nan=False
            )
            told.encode()
        except UnicodeError as error:
            raise Unreadable("the body is not text in UTF-8") from error
        except RecursionError as error:
            raise Unreadable("the body is nested too deeply") from error
        except ValueError as error:
            raise Unreadable("the body is not JSON") from error
        return told

    def text(self, value: str) -> str:
        """A text with a pseudonym for whatever looks like an address."""
        if "@" in value or "%40" in value:
            return _ADDRESS.sub(lambda found: self.pseudonym(unquote(found[0])), value)
        return value

    def _walk(self, value: Any, parent: str, actions: Mapping[str, str]) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            found = {}
            for name, inner in value.items():
                action = actions.get(name) or actions.get(f"{parent}.{name}")
                if action is None:
                    found[self.text(name)] = self._walk(inner, name, actions)
                elif action != "drop":
                    found[name] = self._act(action, inner, name, actions)
            return found
        if isinstance(value, list):
            return [self._walk(inner, parent, actions) for inner in value]
        return value

    def _act(self, action: str, value: Any, name: str, actions: Mapping[str, str]) -> Any:
        if action == "nested":
            return self._nested(value, name, actions)
        if action == "keep" or value is None or isinstance(value, bool) or value == "":
            return value
        if isinstance(value, list):
            return [self._act(action, inner, name, actions) for inner in value]
        if isinstance(value, dict):
            return {self.text(key): self._act(action, inner, name, actions) for key, inner in value.items()}
        return self._agent(str(value)) if action == "agent" else self.pseudonym(str(value))

    def _nested(self, value: Any, name: str, actions: Mapping[str, str]) -> Any:
        try:
            inner = _json(value) if isinstance(value, str) else value
        except ValueError:
            inner = value  # a text after all; addresses in it are replaced all the same
        return self._walk(inner, name, actions)

    def _pseudonym(self, text: str) -> str:
        """HMAC-SHA256 as in pseudonyms.py; of an address in lower case, since providers differ in it and people do not."""
        stripped = text.strip()
        said = stripped.lower() if "@" in stripped else stripped
        return hmac.digest(self._key, said.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()

    def _described_agent(self, text: str) -> dict[str, Any]:
        marks = [mark for mark, pattern in _agents() if pattern.search(text)]
        return {"pseudonym": self.pseudonym(text), "marks": marks}


@cache
def _actions(provider: str) -> dict[str, str]:
    content = yaml_text.read(FIELDS)
    if provider not in content:
        raise Unreadable(f"{FIELDS.name} does not say who is named in what {provider} sends")
    fields = _Fields.model_validate(content[provider])
    return {
        name: action for action in ("person", "agent", "drop", "keep", "nested") for name in getattr(fields, action)
    }


@cache
def _agents() -> list[tuple[str, re.Pattern[str]]]:
    with AGENTS.open(encoding="utf-8", newline="") as stream:
        return [(row["mark"], re.compile(row["pattern"])) for row in csv.DictReader(stream)]


def _json(text: str) -> Any:
    return json.loads(text, parse_constant=_no_number)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _form(text: str) -> dict[str, str]:
    """A form as JSON; of a repeated field the last value."""
    return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True, strict_parsing=True).items()}
