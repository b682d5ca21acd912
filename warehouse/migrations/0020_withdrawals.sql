-- Imports of past experiments that do not count any more, because somebody said so.

create table raw.withdrawals (
    import_id varchar not null,       -- of raw.imports
    reason varchar not null,
    withdrawn_at timestamp not null
);
