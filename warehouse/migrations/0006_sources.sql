-- What sources need beside the events themselves: positions of streams, replays of quarantined rows, aggregates and counters.

-- Fields of an event that its contract does not list, as JSON; addresses in them are withheld.
alter table raw.events add column extra json;

-- One row per stream, partition and batch that was stored, in the transaction that stored it. The position is the largest.
create table raw.stream_positions (
    topic varchar not null,
    stream_partition integer not null,
    next_offset bigint not null,      -- the first message that is not stored yet
    import_id varchar not null,
    recorded_at timestamp not null
);

-- One row per quarantined row that was judged again, and what came of it; the quarantined row itself stays as it was.
create table raw.quarantine_replays (
    import_id varchar not null,       -- of the quarantined row
    row_number bigint not null,
    outcome varchar not null,         -- accepted, duplicate
    replay_id varchar not null,       -- import_id of what the replay brought
    replayed_at timestamp not null
);

-- One row per re-read of one account's day by a provider's report: the window that its rows replace, also when it is empty.
create table raw.channel_windows (
    window_id varchar not null,
    provider varchar not null,
    account_id varchar not null,
    day date not null,
    rows_read bigint not null,
    extracted_at timestamp not null
);

-- One row per version of a provider's aggregate at full grain. A window's newest extraction replaces all of that account's day.
create table if not exists raw.channel_daily (
    provider varchar not null,
    account_id varchar not null,
    level varchar not null,           -- account, campaign, ad_set, ad
    campaign_id varchar,
    ad_set_id varchar,
    ad_id varchar,
    breakdown varchar not null,       -- JSON text of every breakdown of the row, '' where there is none
    day date not null,                -- in the account's time zone
    attribution varchar not null,     -- the setting the conversions were counted under, '' where the provider has none
    impressions bigint,
    clicks bigint,
    cost decimal(18, 6),
    currency varchar,
    conversions_claimed double,
    conversion_value_claimed double,
    window_id varchar not null,
    extracted_at timestamp not null
);

-- One row per look at a lifetime counter of one item, such as the likes of a post. Counters may fall.
create table raw.channel_counters (
    provider varchar not null,
    account_id varchar not null,
    item_id varchar not null,         -- the post, as a URI where the provider has one
    counter varchar not null,         -- likes, reposts, replies, ...
    total bigint not null,
    observed_at timestamp not null,   -- when the provider said so
    extracted_at timestamp not null   -- when the warehouse learned of it
);
