-- What the loop itself did. Append-only; one writer: Python.
create schema if not exists ledger;

-- One row per version of a program's definition.
create table ledger.programs (
    program varchar not null,
    version varchar not null,         -- sha256 of the canonical JSON
    spec json not null,
    recorded_at timestamp not null
);

-- One row per program and cycle that was run: the look, and what the warehouse knew by then.
create table ledger.cycles (
    program varchar not null,
    cycle bigint not null,            -- ISO week YYYYWW for a weekly cadence, YYYYMMDD for a daily one
    as_of timestamp not null,         -- events ingested up to this instant are known to the cycle
    program_version varchar not null,
    recorded_at timestamp not null
);

-- One row per creative ever generated, with everything that made it.
create table ledger.creatives (
    creative_id varchar not null,
    program varchar not null,
    cycle bigint not null,
    segment varchar not null,
    role varchar not null,            -- baseline, exploit, explore, control
    text varchar not null,
    tags_asked varchar[] not null,    -- what the design asked for
    generator varchar not null,       -- offline, openai, ...
    model varchar,
    prompt_name varchar,
    prompt_hash varchar,
    rendered_prompt varchar,
    learnings_used varchar[] not null, -- evidence ids
    input_tokens bigint,
    output_tokens bigint,
    cost_usd double,
    is_fallback boolean not null,     -- the configured generator failed and the offline one stood in
    recorded_at timestamp not null
);

-- One row per creative, tag and source of the tag; extracted tags and given ones stay apart.
create table ledger.creative_tags (
    creative_id varchar not null,
    tag varchar not null,
    source varchar not null,          -- extractor, generator, model
    taxonomy_version varchar not null
);

-- One row per program, cycle, send, segment and arm as it was planned when its creative was written.
create table ledger.plans (
    program varchar not null,
    cycle bigint not null,
    send_number integer not null,
    segment varchar not null,
    arm_number integer not null,
    creative_id varchar not null,
    role varchar not null,
    planned_share double not null,    -- of the segment's people outside the holdout
    flipped_tag varchar,              -- the one tag in which an explore arm differs from its twin
    recorded_at timestamp not null
);

-- One row per decision on a creative; the last one holds.
create table ledger.approvals (
    creative_id varchar not null,
    decision varchar not null,        -- approved, rejected
    actor varchar not null,
    reason varchar not null,
    recorded_at timestamp not null
);

-- One row per experiment: the creatives of one send, randomised against each other.
create table ledger.experiments (
    experiment_id varchar not null,
    program varchar not null,
    cycle bigint not null,
    send_number integer not null,
    starts_at timestamp not null,
    salt varchar not null,
    tags_by_design boolean not null,  -- creatives' tags follow a matched design: only matched contrasts count
    recorded_at timestamp not null
);

-- One row per experiment, segment and arm, with its planned share of the segment.
create table ledger.arms (
    experiment_id varchar not null,
    segment varchar not null,
    creative_id varchar not null,     -- 'holdout' for the people who get nothing
    arm_number integer not null,      -- order of the arms on the unit interval
    role varchar not null,            -- baseline, exploit, explore, control, holdout
    planned_share double not null,
    recorded_at timestamp not null
);

-- One row per experiment and person.
create table ledger.assignments (
    experiment_id varchar not null,
    user_id varchar not null,
    segment varchar not null,
    creative_id varchar not null,
    probability double not null,
    assigned_at timestamp not null
);

-- One row per message handed to a channel.
create table ledger.sends (
    send_id varchar not null,         -- digest of experiment and person: the idempotency key
    experiment_id varchar not null,
    user_id varchar not null,
    creative_id varchar not null,
    channel varchar not null,
    is_dry_run boolean not null,
    scheduled_at timestamp not null,
    recorded_at timestamp not null
);

-- One row per brief: what one segment's next creatives could assume.
create table ledger.briefs (
    program varchar not null,
    cycle bigint not null,
    segment varchar not null,
    brief json not null,
    rendered varchar not null,
    recorded_at timestamp not null
);

-- One row per sentence about a learning, with the evidence it rests on.
create table ledger.notes (
    note_id varchar not null,
    program varchar not null,
    cycle bigint not null,
    segment varchar not null,
    evidence_id varchar not null,
    sentence varchar not null,
    writer varchar not null,          -- template, or the model that worded it
    recorded_at timestamp not null
);

-- One row per call of a model, recorded before its answer is parsed.
create table ledger.model_calls (
    call_id varchar not null,
    program varchar not null,
    cycle bigint not null,
    purpose varchar not null,
    model varchar not null,
    prompt_hash varchar not null,
    input_tokens bigint,
    output_tokens bigint,
    cost_usd double,
    status varchar not null,          -- ok, refused, truncated, invalid, failed
    detail varchar,
    recorded_at timestamp not null
);
