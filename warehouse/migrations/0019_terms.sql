-- What the rows of stored models, and of seeds, were made under: a build makes a model anew whole whose terms have changed.

create table ledger.built_tables (
    engine varchar not null,          -- duckdb or spark; each has tables of its own
    node varchar not null,            -- dbt's unique id of an incremental model or a seed
    terms json not null,              -- of a model: digests of its SQL and of what it reads, thresholds; of a seed: what was loaded
    primary key (engine, node)
);
