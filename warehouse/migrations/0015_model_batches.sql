-- Batches of questions that a model server answers within a day. Append-only; one writer: Python.

-- One row per step of a batch: prepared, creating, created, ended. What has not ended is gone on with by the next run, never handed in twice.
create table ledger.model_batches (
    batch_key varchar not null,       -- digest of program, cycle, number and questions; the server keeps it as metadata
    program varchar not null,
    cycle bigint not null,
    step varchar not null,            -- prepared, creating (the file is there), created (the server has it), ended
    reference varchar,                -- creating: the file's id; created: the batch's id; ended: how
    questions json,                   -- prepared: content key, request id, purpose and prompt hash of each
    recorded_at timestamp not null
);
