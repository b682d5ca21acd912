-- What pull connectors keep. The tables raw_<provider>.* are loaded by dlt (orchestration/measure/pulls/landing.py), which adds its own
-- bookkeeping beside them; they are made here so that models can be built before anything was pulled. All have one shape: the platform's
-- row as it came, and the reading it came with.

-- One row per window of a report that was read to its end: written after its rows, so that a row without it is not believed.
create table raw.pull_readings (
    reading_id varchar primary key,
    source varchar not null,          -- meta, google_ads, klaviyo_events, ...
    provider varchar not null,
    account_id varchar not null,
    stream varchar not null,          -- the report within the source
    level varchar not null,           -- account, campaign, ad_set, ad, asset, item
    first_day date not null,
    last_day date not null,           -- inclusive
    rows_read bigint not null,
    extracted_at timestamp not null   -- when it was read to its end; the warehouse did not know it before
);

-- One row per call of a report that a platform allows only so many of per day.
create table raw.pull_calls (
    source varchar not null,
    account_id varchar not null,
    called_at timestamp not null
);

create schema raw_meta;
create schema raw_google_ads;
create schema raw_linkedin;
create schema raw_tiktok;
create schema raw_klaviyo;
create schema raw_mailchimp;
create schema raw_bluesky;
create schema raw_mastodon;

-- One row per row of a report and reading.
create table raw_meta.insights (
    row_id varchar not null, reading_id varchar not null, account_id varchar not null, stream varchar not null,
    item varchar not null, extracted_at timestamp not null, _dlt_load_id varchar not null, _dlt_id varchar not null
);
create table raw_google_ads.report_rows as from raw_meta.insights;
create table raw_linkedin.analytics as from raw_meta.insights;
create table raw_tiktok.reports as from raw_meta.insights;
create table raw_klaviyo.campaign_values as from raw_meta.insights;
create table raw_mailchimp.reports as from raw_meta.insights;

-- One row per event, whenever it was first told.
create table raw_klaviyo.events as select *, cast(null as timestamp) as occurred_at from raw_meta.insights;

-- One row per look at a post.
create table raw_bluesky.posts as from raw_meta.insights;
create table raw_mastodon.statuses as from raw_meta.insights;
