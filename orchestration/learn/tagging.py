"""Reads tags from the texts of past experiments, each distinct text once per taxonomy version."""

import datetime as dt

import pandas as pd

from orchestration.edges.warehouse import Warehouse, transaction
from orchestration.learn.taxonomy import Taxonomy


def tag_texts(warehouse: Warehouse, taxonomy: Taxonomy, now: dt.datetime) -> int:
    """Appends the tags of every text of ``raw.results`` that this taxonomy version has not read; returns their number."""
    with warehouse.connect() as connection:
        texts = [
            row[0]
            for row in connection.execute(
                """
                select distinct text from raw.results
                where text is not null and tags is null
                    and text not in (select text from raw.text_tags where taxonomy_version = ?)
                order by text
                """,
                [taxonomy.version],
            ).fetchall()
        ]
        if not texts:
            return 0
        read = pd.DataFrame({"text": texts, "tags": [sorted(tags) for tags in taxonomy.extract_many(texts)]})
        with transaction(connection):
            connection.register("read", read)
            connection.execute(
                "insert into raw.text_tags select text, cast(tags as varchar[]), ?, ? from read",
                [taxonomy.version, now],
            )
            connection.unregister("read")
    return len(texts)
