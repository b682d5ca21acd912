-- What became of every message: the outbox's events, copied once. Append-only; one writer: Python.

-- One row per event of a message in an outbox; the last event of a message says where it stands.
create table ledger.send_events (
    outbox_id varchar not null,       -- an outbox numbers its own events; a lost one is replaced by another
    sequence bigint not null,
    send_id varchar not null,         -- of ledger.sends, or the digest of experiment and creative for a post
    state varchar not null,           -- queued, attempted, deferred, accepted, refused, withheld, unknown, resolved
    occurred_at timestamp not null,
    sender varchar,                   -- null: no sender was asked
    reference varchar,                -- the channel's own id of the message
    detail varchar,                   -- why; of a resolution: sent, not_sent, again
    recorded_at timestamp not null,
    primary key (outbox_id, sequence)
);
