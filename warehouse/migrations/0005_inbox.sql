-- What webhooks, the event receiver and one-click links brought. Append-only; one writer: the mover (orchestration/measure/mover.py).

-- One row per delivery taken from the spool: one HTTP body, which may hold many events. Staging models fan it out.
create table raw.inbox (
    inbox_id varchar not null,        -- spool file and number of the record in it
    provider varchar not null,        -- sendgrid, ses, postmark, mailgun, customerio, klaviyo, twilio, segment, one_click
    source varchar not null,          -- URI-like: 'sendgrid', 'segment/web'
    received_at timestamp not null,   -- the receiver's clock when the delivery had been verified
    ingested_at timestamp not null,   -- when the warehouse learned of it: the as-of time of every replay
    headers json not null,            -- the few that parsers need
    body json not null,               -- person fields replaced by pseudonyms, as the provider's field list says
    body_sha256 varchar not null      -- of the bytes that were verified
);

-- One row per stretch of a spool file that was taken in, in the transaction that took its records: that makes it exactly once.
create table raw.spool_positions (
    spool_file varchar not null,
    from_offset bigint not null,
    until_offset bigint not null,
    records bigint not null,
    quarantined bigint not null,
    moved_at timestamp not null,
    primary key (spool_file, from_offset)
);
