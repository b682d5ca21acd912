-- What the sources said. Append-only; one writer: Python. Staging parses, dedupes and casts.
create schema if not exists raw;

-- One row per received event, in the canonical contract (Segment semantics, four clocks). Times are UTC.
-- The same (source, event_id) may arrive many times; staging keeps the first one ingested.
create table raw.events (
    event_id varchar not null,
    source varchar not null,          -- URI-like: 'sandbox/newsletter', 'segment/web'
    type varchar not null,            -- track, identify, page, screen, group, alias
    event_name varchar,               -- Title Case semantic name; null unless type = track
    user_id varchar,                  -- opaque or pseudonymised
    anonymous_id varchar,
    occurred_at timestamp,            -- the source's own corrected time, where it sends one
    original_at timestamp,            -- device clock when it happened
    sent_at timestamp,                -- device clock when it was sent
    received_at timestamp not null,   -- server clock
    ingested_at timestamp not null,   -- when the warehouse learned of it: the as-of time of every replay
    experiment_id varchar,
    creative_id varchar,
    send_id varchar,
    channel varchar,                  -- email, sms, push, paid, social, web
    is_machine boolean,               -- null: unknown, which is not false
    value decimal(18, 4),
    currency varchar,
    properties json,
    context json,
    schema_version integer not null default 1,
    import_id varchar not null
);

-- One row per program, cycle, experiment, creative, segment and metric of a past experiment: an increment of sufficient statistics.
create table raw.results (
    program varchar not null,
    cycle bigint not null,            -- any increasing integer: 202407 (ISO week), 20240712 (day), 17 (round)
    experiment_id varchar not null,
    creative_id varchar not null,
    segment varchar not null,
    metric varchar not null,
    n double not null,
    sum_y double not null,
    sum_y2 double,                    -- null: a 0/1 metric, whose squares sum to sum_y
    planned_share double,
    is_baseline boolean,
    is_randomised boolean not null default true,
    text varchar,
    tags varchar[],                   -- tags somebody gave; null: extract them from the text
    closes_in_cycle bigint not null,  -- last cycle of the experiment in the file it came with
    import_id varchar not null,
    imported_at timestamp not null
);

-- One row per distinct text and taxonomy version: what the deterministic extractors found in it.
create table raw.text_tags (
    text varchar not null,
    tags varchar[] not null,
    taxonomy_version varchar not null,
    recorded_at timestamp not null
);

-- One row per file taken in under one mapping; its id is a digest of both, so the same file is never taken twice.
create table raw.imports (
    import_id varchar primary key,
    kind varchar not null,            -- results, events
    subject varchar not null,         -- the file's name, without its folder
    rows_read bigint not null,
    rows_accepted bigint not null,
    rows_quarantined bigint not null,
    imported_at timestamp not null
);

-- One row per row that could not be read, with the reason and the row itself.
create table raw.quarantine (
    import_id varchar not null,
    row_number bigint not null,
    reason varchar not null,
    payload json not null,
    quarantined_at timestamp not null
);
