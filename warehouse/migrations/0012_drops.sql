-- Which files of drop folders were read already.

-- One row per state of a file of a drop folder that was taken in: what is listed in the same state again is not read again.
create table raw.dropped_files (
    place varchar not null,           -- the folder, as a URL for those that are not local
    name varchar not null,
    state varchar not null,           -- digest of what the folder's listing tells of it (size, time, checksum) and of how it was read
    import_id varchar not null,       -- of the rows that it brought
    recorded_at timestamp not null
);
