"""SQL expressions that read a mapped target as text, number, truth, time or cycle; null stands for "not that"."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.errors import Refusal
from orchestration.measure.mapping import Constant, Mapping, Source
from orchestration.measure.reading import identifier, literal

_WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
_BROKEN = {"FLOAT", "DOUBLE"}
_SHOWN = 30  # columns a refusal lists


@dataclass(frozen=True, slots=True)
class _Term:
    sql: str
    type: str


class Targets:
    """Where each target of a mapping comes from in one file."""

    def __init__(self, mapping: Mapping, columns: dict[str, str], subject: str) -> None:
        """Resolves a mapping against a file's columns.

        Args:
            columns: Name -> DuckDB type.
            subject: The file's name, for refusals.

        Raises:
            Refusal: if the mapping names a column the file has not.
        """
        self._columns, self._subject = columns, subject
        own = {name: name for name in mapping.targets() if mapping.by_own_name and name in columns}
        self._sources: dict[str, Source] = {**own, **mapping.sources()}
        for source in self._sources.values():
            self.require_columns(
                [source] if isinstance(source, str) else [] if isinstance(source, Constant) else source
            )

    def require_columns(self, names: Sequence[str]) -> None:
        """Refuses names of columns that the file has not, with the nearest one it has."""
        for name in names:
            if name in self._columns:
                continue
            folded = {column.casefold(): column for column in self._columns}
            near = difflib.get_close_matches(name.casefold(), folded, n=1)
            hint = f"Did you mean {folded[near[0]]!r}? " if near else ""
            there = ", ".join(list(self._columns)[:_SHOWN]) + (", ..." if len(self._columns) > _SHOWN else "")
            raise Refusal(self._subject, f"has no column {name!r}", f"{hint}Its columns are: {there}.")

    def require(self, *targets: str) -> None:
        """Refuses a mapping that leaves a needed target open."""
        for target in targets:
            if target not in self._sources:
                there = ", ".join(list(self._columns)[:_SHOWN])
                raise Refusal(
                    self._subject,
                    f"is mapped without {target}",
                    f"Map {target} to a column or a constant. Its columns are: {there}.",
                )

    def has(self, target: str) -> bool:
        """Whether the target comes from anywhere."""
        return target in self._sources

    def columns_of(self, *targets: str) -> list[str]:
        """The columns that targets are read from."""
        found: list[str] = []
        for source in (self._sources[target] for target in targets if target in self._sources):
            found += [] if isinstance(source, Constant) else [source] if isinstance(source, str) else source
        return found

    def is_text_column(self, target: str) -> bool:
        """Whether the target is one column of text, as it is."""
        return isinstance(self._sources.get(target), str) and self._term(target).type == "VARCHAR"

    def is_list(self, target: str) -> bool:
        """Whether the target comes from a column of lists."""
        return self._term(target).type.endswith("[]")

    def is_nested(self, target: str) -> bool:
        """Whether the target comes from a column of structs, maps or lists."""
        return self._term(target).type.endswith(("]", ")")) and not self._term(target).type.startswith("DECIMAL")

    def number_in(self, column: str) -> str:
        """A column that is no target, as :meth:`number`."""
        return number(identifier(column), self._columns[column])

    def raw(self, target: str) -> str:
        """The column itself."""
        return self._term(target).sql

    def text(self, target: str) -> str:
        """Trimmed text, null when blank."""
        return as_text(self._term(target).sql, self._term(target).type)

    def given(self, target: str) -> str:
        """What is null exactly where nothing was said; cheaper than :meth:`text` for what is no text."""
        return self.text(target) if self._term(target).type == "VARCHAR" else self.raw(target)

    def key(self, target: str) -> str:
        """Text that names something: as :meth:`text`, and "nan" is null too."""
        if self._term(target).type in _WHOLE:
            return self.text(target)
        text = self.text(target)
        return f"case when lower({text}) <> 'nan' then {text} end"

    def number(self, target: str) -> str:
        """A double; truth counts as 0 or 1."""
        return number(self._term(target).sql, self._term(target).type)

    def flag(self, target: str) -> str:
        """A truth value."""
        return f"try_cast({self.text(target)} as boolean)"

    def moment(self, target: str) -> str:
        """UTC timestamp of a time, a day, ISO text or an epoch in seconds, milli-, micro- or nanoseconds."""
        term = self._term(target)
        if term.type == "TIMESTAMP WITH TIME ZONE":
            return f"({term.sql} at time zone 'UTC')"
        if term.type == "DATE" or term.type.startswith("TIMESTAMP"):
            return f"cast({term.sql} as timestamp)"
        text = as_text(term.sql, term.type)
        epoch = f"try_cast({text} as double)"
        micros = f"""case when abs({epoch}) < 1e11 then {epoch} * 1e6 when abs({epoch}) < 1e14 then {epoch} * 1e3
            when abs({epoch}) < 1e17 then {epoch} when abs({epoch}) < 1e20 then {epoch} / 1e3 end"""
        return f"""case when regexp_full_match({text}, '-?[0-9]+([.][0-9]+)?(e[+]?[0-9]+)?')
            then make_timestamp(cast({micros} as bigint))
            else try_cast({text} as timestamptz) at time zone 'UTC' end"""

    def day(self, target: str) -> str:
        """A calendar day: a date, the day of a time, or text such as ``2026-11-01`` or ``20261101``."""
        term = self._term(target)
        if term.type == "DATE" or term.type.startswith("TIMESTAMP"):
            return f"cast({term.sql} as date)"
        text = as_text(term.sql, term.type)
        return f"""case when regexp_full_match({text}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ].*)?') then try_cast({text}[:10] as date)
            when regexp_full_match({text}, '[0-9]{{8}}') then cast(try_strptime({text}, '%Y%m%d') as date) end"""

    def cycle(self, target: str, cadence: str) -> str:
        """Struct ``{cycle, day}``: an integer as it is; a date or ISO week (``2024-W07``) with the day it begins.

        Args:
            cadence: SQL text that says ``daily`` or ``weekly``, what a date becomes.
        """
        term = self._term(target)
        text = as_text(term.sql, term.type)
        if term.type == "DATE" or term.type.startswith("TIMESTAMP"):
            whole, day = "null", f"cast({self.moment(target)} as date)"
        elif term.type in _WHOLE:
            return f"{{cycle: try_cast({term.sql} as bigint), day: null::date}}"
        else:
            whole = f"try_cast(regexp_extract({text}, '^([+-]?[0-9]+)([.]0+)?$', 1) as bigint)"
            day = f"cast({self.moment(target)} as date)"
        week = f"regexp_extract({text}, '^([0-9]{{4}})-?W([0-9]{{2}})$', ['year', 'week'])"
        monday = f"cast(try_strptime({week}.year || {week}.week || '1', '%G%V%u') as date)"
        weekly = "isoyear({0}) * 100 + weekofyear({0})"
        daily = "year({0}) * 10000 + month({0}) * 100 + day({0})"
        of_day = f"case when {cadence} = 'weekly' then {weekly} else {daily} end".format(f"({day})")
        return f"""case when {whole} is not null then {{cycle: {whole}, day: null::date}}
            when {monday} is not null then {{cycle: {weekly.format(f"({monday})")}, day: {monday}}}
            else {{cycle: {of_day}, day: {day}}} end"""

    def _term(self, target: str) -> _Term:
        source = self._sources.get(target)
        if source is None:
            return _Term("cast(null as varchar)", "VARCHAR")
        if isinstance(source, Constant):
            return _Term(literal(source.constant), "VARCHAR")
        if isinstance(source, str):
            return _Term(identifier(source), self._columns[source])
        parts = [as_text(identifier(name), self._columns[name]) for name in source]
        return _Term(f"case when {parts[0]} is not null then concat_ws('/', {', '.join(parts)}) end", "VARCHAR")


def number(sql: str, type_: str) -> str:
    """A column of any type as a double, null when it is no number; truth counts as 0 or 1."""
    if type_ in _WHOLE | _BROKEN or type_ == "BOOLEAN" or type_.startswith("DECIMAL"):
        return f"cast({sql} as double)"
    text = f"cast({sql} as varchar)"
    return f"coalesce(try_cast({text} as double), cast(try_cast({text} as boolean) as double))"


def as_text(sql: str, type_: str) -> str:
    """A column of any type as trimmed text, null when blank."""
    if type_ in _WHOLE:
        return f"cast({sql} as varchar)"
    if type_ in _BROKEN:  # ids and cycles that met a null on their way come as 12.0
        whole = f"isfinite({sql}) and {sql} = trunc({sql}) and abs({sql}) < 1e15"
        return f"case when {whole} then cast(cast({sql} as bigint) as varchar) else cast({sql} as varchar) end"
    return f"nullif(trim(cast({sql} as varchar)), '')"
