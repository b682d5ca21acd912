-- How events are stored: what writing them costs is mostly the compression of their texts.

-- Ids are random, so there is little to gain from them: left as they are, they take 20 bytes more and are written and read in half
-- the time. Properties are written faster by zstd, in less space.
create table raw.events_stored (
    event_id varchar not null using compression uncompressed,
    source varchar not null,
    type varchar not null,
    event_name varchar,
    user_id varchar,
    anonymous_id varchar,
    occurred_at timestamp,
    original_at timestamp,
    sent_at timestamp,
    received_at timestamp not null,
    ingested_at timestamp not null,
    experiment_id varchar,
    creative_id varchar,
    send_id varchar,
    channel varchar,
    is_machine boolean,
    value decimal(18, 4),
    currency varchar,
    properties json using compression zstd,
    context json,
    schema_version integer not null default 1,
    import_id varchar not null,
    extra json
);
insert into raw.events_stored by name select * from raw.events;
drop table raw.events;
alter table raw.events_stored rename to events;
