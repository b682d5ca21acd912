-- Files for hand-over are written once: whoever takes them out of the folder has them for good. Append-only; one writer: Python.

-- One row per batch of an experiment whose messages were handed over as files.
create table ledger.handovers (
    experiment_id varchar not null,
    batch integer not null,
    recorded_at timestamp not null,   -- after the files were written under other names, before they got their own
    primary key (experiment_id, batch)
);
