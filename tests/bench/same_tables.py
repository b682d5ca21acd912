"""Whether two warehouses hold the same rows, whichever way they came to them."""

from pathlib import Path

import duckdb

COLUMNS = """
    select schema_name || '.' || table_name, '"' || column_name || '"', data_type
    from duckdb_columns() inner join duckdb_tables() using (database_name, schema_name, table_name)
    where database_name = 'one' and schema_name in ('staging', 'intermediate', 'marts')
        and column_name not in ('built_through', 'received_events')
    order by all"""


def compared(one: Path, other: Path) -> tuple[int, list[str]]:
    """How many tables there are, and those of which the two warehouses have different rows; of numbers, ten digits."""
    with duckdb.connect() as connection:
        for name, folder in (("one", one), ("other", other)):
            connection.execute(f"attach '{folder / 'loop.duckdb'}' as {name} (read_only)")
        tables: dict[str, list[str]] = {}
        for table, column, kind in connection.execute(COLUMNS).fetchall():
            # Times pi, since a sum of short decimals may lie where one of ten digits is rounded up or down by the order of addition.
            tables.setdefault(table, []).append(f"printf('%.9e', pi() * {column})" if kind == "DOUBLE" else column)
        different = []
        for table, columns in tables.items():
            sides = [f"select {', '.join(columns)} from {name}.{table}" for name in ("one", "other")]
            both = f"(({sides[0]}) except all ({sides[1]})) union all (({sides[1]}) except all ({sides[0]}))"
            if connection.execute(f"select 1 from ({both}) limit 1").fetchone():
                different.append(table)
        return len(tables), different
