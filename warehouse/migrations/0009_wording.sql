-- What models were asked and answered, what became of their words, and what screening saw in each creative.

-- One row per request that was about to be sent to a model; written before it leaves, so that no bill comes unseen.
create table ledger.model_requests (
    request_id varchar not null,
    program varchar not null,
    cycle bigint not null,
    purpose varchar not null,
    model varchar not null,
    content_key varchar not null,     -- digest of everything that decides the answer
    most_cost_usd double not null,    -- what it counts for as long as nobody has told its cost
    recorded_at timestamp not null
);

-- One row per usable answer of a model: the same question of the same cycle is not paid for twice.
create table ledger.model_answers (
    content_key varchar not null,
    program varchar not null,
    cycle bigint not null,
    answer json not null,
    recorded_at timestamp not null
);

alter table ledger.model_calls add column request_id varchar; -- null: answered from memory, or never sent

-- One row per operation on notes that a model proposed, and what became of it.
create table ledger.note_operations (
    operation_id varchar not null,
    program varchar not null,
    cycle bigint not null,
    segment varchar not null,
    number integer not null,          -- its place in the answer; 0 for an answer that could not be used at all
    operation varchar not null,       -- add, rewrite, merge, retire, or unreadable
    evidence_ids varchar[] not null,  -- as cited
    text varchar,                     -- as proposed, with its placeholders
    verdict varchar not null,         -- accepted, proposed (a person decides), rejected
    reason varchar not null,
    model varchar not null,
    recorded_at timestamp not null
);

alter table ledger.notes add column template varchar; -- the sentence before its placeholders were filled
alter table ledger.briefs add column changes json;    -- what changed since the segment's last brief, and why

-- One row per creative: what screening saw in it. Policy judges these facts; it never reads the text itself.
create table ledger.creative_facts (
    creative_id varchar not null,
    facts json not null,
    rules_version varchar not null,   -- digest of the limits and lists the facts were found with
    recorded_at timestamp not null
);
