-- Parquet files of events that are read where they lie: checked once, never copied. One writer: Python.

-- One row per file; the query reads it in the columns of raw.events.
create table raw.event_files (
    import_id varchar primary key,    -- of raw.imports
    path varchar not null,
    bytes bigint not null,            -- size and time of change: the file must stay as it was checked
    changed_at timestamp not null,
    events bigint not null,           -- rows, copies included
    query varchar not null,
    ingested_at timestamp not null
);

-- All of them together; written anew with each file.
create view raw.events_in_place as
select
    event_id, source, type, event_name, user_id, anonymous_id, occurred_at, original_at, sent_at, received_at, ingested_at,
    experiment_id, creative_id, send_id, channel, is_machine, value, currency, properties, context, schema_version, import_id
from raw.events
where false;
