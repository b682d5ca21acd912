-- Rows that are read in place have numbers, by which copies among them are left out without a look at their ids.

alter table raw.event_files add column first_row bigint default 0; -- number of the file's first row; files follow one another
update raw.event_files set first_row = (
    select coalesce(sum(earlier.events), 0) from raw.event_files as earlier
    where (earlier.ingested_at, earlier.path) < (event_files.ingested_at, event_files.path)
);
update raw.event_files
set query = replace(query, ' from read_parquet(', ', cast(' || first_row || ' + file_row_number as ubigint) as row_key from read_parquet(');

-- Where there are files, the next build shows them (orchestration/measure/in_place.py).
create or replace view raw.events_in_place as
select
    event_id, source, type, event_name, user_id, anonymous_id, occurred_at, original_at, sent_at, received_at, ingested_at,
    experiment_id, creative_id, send_id, channel, is_machine, value, currency, properties, context, schema_version, import_id,
    cast(null as ubigint) as row_key
from raw.events
where false;
