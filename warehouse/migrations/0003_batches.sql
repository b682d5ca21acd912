-- A send may go out in batches, each divided by what the ones before it taught.

-- The batch in which a person was assigned; what was assigned before sends had batches is one batch.
alter table ledger.assignments add column batch integer default 1;

-- One row per experiment, segment, batch and arm: the chance people of the batch had of the arm, fixed before any of them was assigned.
create table ledger.allocations (
    experiment_id varchar not null,
    segment varchar not null,
    batch integer not null,           -- from 1
    creative_id varchar not null,     -- 'holdout' for the people who get nothing
    probability double not null,      -- 0 for an arm that was stopped
    units_seen double not null,       -- people of earlier batches whose early outcomes the chance rests on
    sum_seen double not null,         -- sum of the objective over them so far
    reason varchar not null,          -- planned, adapted, fixed, or why the arm was stopped
    recorded_at timestamp not null
);
