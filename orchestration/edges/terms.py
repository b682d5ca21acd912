"""Terms of stored rows: an incremental model keeps rows of earlier builds, which hold under the SQL and the thresholds of then.

Every build keeps the terms that a model's rows were made under. Where they have changed since (a threshold, the text of a model or
macro on the way from raw, a declared adapter, the engine's digest, a file that was taken back) the model is made anew whole, and all
stored models after it, whose terms are also theirs. So no table mixes rows of two definitions, and nobody has to know when to say
--full-refresh. A model whose rows are final (``meta: {rows: final}``: what an experiment counted at a look) is left alone: evidence is
not rewritten by a threshold. A table that reads itself (``rows: remembered``) has terms like an incremental model.
"""

import csv
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from orchestration.edges import yaml_text
from orchestration.edges.warehouse import Warehouse

Terms = dict[str, str | None]
Tell = Callable[[str], None]
_COMMENTS = re.compile(r"\{#.*?#\}|^\s*--[^\n]*$", re.DOTALL | re.MULTILINE)
_WORDS = re.compile(r"'(\w+)'")
_VARIABLES = re.compile(r"\bvar\(\s*'(\w+)'")
_POLICY = "policy"
_KINDS = ("variable", "seed", "digests", "model", "macro")  # of terms, those first that say most of why


@dataclass(frozen=True, slots=True)
class Lineage:
    """What an incremental model rests on, from raw to itself.

    Attributes:
        texts: Digest of each model and macro, comments and blanks left out.
        words: What stands in quotation marks in them; a threshold is asked for by its name.
        seeds: dbt's ids of the other seeds it reads.
        variables: Names of the project's variables.
        stored: dbt's ids of the incremental models before it.
    """

    texts: Mapping[str, str]
    words: frozenset[str]
    seeds: frozenset[str]
    variables: frozenset[str]
    stored: frozenset[str]


def lineages(manifest: Any) -> dict[str, Lineage]:
    """By dbt's id, the lineage of every incremental model.

    Args:
        manifest: As parsed by dbt.
    """
    return {name: _lineage(manifest, name) for name, node in manifest.nodes.items() if _is_stored(node)}


class Build:
    """One build as the terms see it: which stored models it makes anew, and what it leaves on record.

    Args:
        found: Of this manifest.
        project: Folder with ``dbt_project.yml``, for variables and for seeds as they are loaded.
        tell: Told in a line which models are made anew, and why.
    """

    def __init__(
        self, warehouse: Warehouse, engine: str, manifest: Any, found: Mapping[str, Lineage], project: Path, tell: Tell
    ) -> None:
        self._warehouse, self._engine, self._nodes = warehouse, engine, manifest.nodes
        self._lineages, self._project, self._tell = found, project, tell
        settings = yaml_text.read(project / "dbt_project.yml")
        said = settings.get("vars") or {}
        self._variables: dict[str, Any] = {**said, **(said.get(settings["name"]) or {})}
        with warehouse.connect() as connection:
            query = "select schema_name || '.' || table_name from duckdb_tables()"
            tables = {row[0] for row in connection.execute(query).fetchall()}
            query = "select node, terms from ledger.built_tables where engine = ?"
            rows = connection.execute(query, [engine]).fetchall() if "ledger.built_tables" in tables else []
            query = "select count(*) from raw.withdrawals join raw.imports using (import_id) where kind = 'events'"
            [[self._forgotten]] = connection.execute(query).fetchall() if "raw.withdrawals" in tables else [(0,)]
            [[self._digest]] = connection.execute("select cast(hash('loopwright') as varchar)").fetchall()
        self._held = {node: json.loads(terms) for node, terms in rows}
        self._tables = tables if engine == "duckdb" else set()
        self._loaded = {node: terms for node, terms in self._held.items() if node.startswith("seed.")}
        self._reasons: dict[str, str] = {}

    @contextmanager
    def marked(self) -> Iterator[None]:
        """Lets dbt make the models anew whose terms have changed."""
        self._mark()
        try:
            yield
        finally:
            for name in self._reasons:
                self._nodes[name].config.full_refresh = None

    def see(self, event: Any) -> None:
        """Follows what dbt does: seeds as they are loaded, after which what rests on them runs; models as they begin."""
        if event.info.name == "LogSeedResult" and event.data.node_info.node_status == "success":
            self._load(event.data.node_info.unique_id)
            self._mark()
        elif event.info.name == "LogStartLine" and (reason := self._reasons.get(event.data.node_info.unique_id)):
            self._tell(f"{event.data.node_info.node_name} is made anew from all of raw: {reason}")

    def remember(self, written: Iterable[str]) -> None:
        """Keeps the terms of the nodes that were written, unless they were made of rows under others."""
        sound = {name for name in self._lineages if self._held.get(name) == self._terms(name)} | set(written)
        kept = {name: self._loaded[name] for name in written if name in self._loaded}
        for name in written:
            if name in self._lineages and self._lineages[name].stored <= sound:
                kept[name] = self._terms(name)
        rows = [
            [self._engine, name, json.dumps(kept[name])] for name in sorted(kept) if kept[name] != self._held.get(name)
        ]
        if rows:
            with self._warehouse.connect() as connection:
                connection.executemany("insert or replace into ledger.built_tables values (?, ?, ?)", rows)

    def foreseen(self) -> dict[str, str]:
        """Why, by name, a build of everything would make stored models anew: of seeds as they are written, since it loads them."""
        for name, node in self._nodes.items():
            if node.resource_type == "seed":
                self._load(name)
        owed = {self._nodes[name].name: reason for name, reason in self._owed().items() if reason}
        return dict(sorted(owed.items()))

    def _mark(self) -> None:
        for name, reason in self._owed().items():
            self._nodes[name].config.full_refresh = True
            self._reasons[name] = reason

    def _owed(self) -> dict[str, str]:
        """Models whose terms are not those on record, and why; those marked already aside. No reason for one that is not there yet."""
        owed = {}
        for name in self._lineages.keys() - self._reasons.keys():
            node, held, terms = self._nodes[name], self._held.get(name), self._terms(name)
            if held != terms:
                is_there = held is not None or f"{node.schema}.{node.alias}" in self._tables
                owed[name] = _difference(held, terms) if is_there else ""
        return owed

    def _load(self, seed: str) -> None:
        content = (self._project / self._nodes[seed].original_file_path).read_text(encoding="utf-8")
        if _name(seed) == _POLICY:
            self._loaded[seed] = {row["name"]: row["value"] for row in csv.DictReader(content.splitlines())}
        else:
            self._loaded[seed] = {"rows": _digest(content)}

    def _terms(self, name: str) -> Terms:
        lineage = self._lineages[name]
        policy: Terms = next((terms for seed, terms in self._loaded.items() if _name(seed) == _POLICY), {})
        terms: Terms = {f"digests of {self._engine}": self._digest if self._engine == "duckdb" else None}
        terms |= lineage.texts
        terms |= {threshold: policy[threshold] for threshold in policy.keys() & lineage.words}
        terms |= {f"seed {_name(seed)}": self._loaded.get(seed, {}).get("rows") for seed in lineage.seeds}
        terms |= {"files_taken_back": str(self._forgotten)} if self._forgotten else {}
        terms |= {f"variable {name}": json.dumps(self._variables.get(name)) for name in lineage.variables}
        return terms


def _lineage(manifest: Any, model: str) -> Lineage:
    nodes, macros = _before(manifest, model)
    texts = {f"model {node.name}": _said(node.raw_code) for node in nodes if node.resource_type == "model"}
    texts |= {f"macro {macro.name}": _said(macro.macro_sql) for macro in macros}
    return Lineage(
        texts={name: _digest(text) for name, text in texts.items()},
        words=frozenset(word for text in texts.values() for word in _WORDS.findall(text)),
        seeds=frozenset(node.unique_id for node in nodes if node.resource_type == "seed" and node.name != _POLICY),
        variables=frozenset(name for text in texts.values() for name in _VARIABLES.findall(text)),
        stored=frozenset(node.unique_id for node in nodes if _is_stored(node) and node.unique_id != model),
    )


def _before(manifest: Any, model: str) -> tuple[list[Any], list[Any]]:
    """The model and every node before it, and the project's macros that any of them calls."""
    nodes: dict[str, Any] = {}
    waiting = [model]
    while waiting:
        name = waiting.pop()
        if name in manifest.nodes and name not in nodes:
            nodes[name] = manifest.nodes[name]
            waiting += nodes[name].depends_on_nodes
    macros: dict[str, Any] = {}
    waiting = [macro for node in nodes.values() for macro in node.depends_on.macros]
    while waiting:
        name = waiting.pop()
        if name in macros or manifest.macros[name].package_name != manifest.nodes[model].package_name:
            continue
        macros[name] = manifest.macros[name]
        waiting += macros[name].depends_on.macros
    return list(nodes.values()), list(macros.values())


def _name(unique_id: str) -> str:
    return unique_id.rsplit(".", 1)[-1]


def _is_stored(node: Any) -> bool:
    if node.resource_type != "model":
        return False
    rows = node.config.meta.get("rows")
    return bool(rows == "remembered" or (node.config.materialized == "incremental" and rows != "final"))


@cache
def _said(text: str) -> str:
    """The text without comments, each run of blanks one."""
    return " ".join(_COMMENTS.sub(" ", text).split())


def _difference(held: Terms | None, terms: Terms) -> str:
    if held is None:
        return "its terms were not kept"
    names = [name for name in {*held, *terms} if held.get(name) != terms.get(name)]
    names.sort(key=lambda name: (_KINDS.index(name.split()[0]) if " " in name else -1, name))
    told = [
        f"{name} is {terms.get(name, 'not asked')}, was {held.get(name, 'not asked')}"
        if " " not in name
        else f"{name} changed"
        for name in names
    ]
    return ", ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")


@cache
def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
