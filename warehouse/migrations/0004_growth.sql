-- What growth and channel marts read besides events: exchange rates, and what ad platforms report by day.

-- One row per told exchange rate; a rate told again later replaces the earlier one from its recorded_at on.
create table raw.exchange_rates (
    currency varchar not null,            -- ISO 4217
    reporting_currency varchar not null,  -- what amounts are turned into; one for the whole warehouse
    valid_from date not null,             -- holds until the next valid_from of the same currency
    rate double not null,                 -- units of reporting_currency for one unit of currency
    recorded_at timestamp not null
);

-- One row per reading of a platform's report: which days it covers. What a newer reading of the same account, level and day does not hold
-- any more was withdrawn by the platform, so a reading that found nothing is recorded too.
create table raw.channel_extractions (
    extraction_id varchar primary key,
    provider varchar not null,            -- 'meta', 'google_ads'
    account_id varchar not null,
    level varchar not null,               -- account, campaign, ad_set, ad
    first_day date not null,
    last_day date not null,               -- inclusive
    extracted_at timestamp not null
);

-- One row per reading and reported entity, day and breakdown, in the account's own time zone and currency. Ids of coarser levels are told
-- at finer ones; a provider without ad sets repeats the campaign's id there.
create table raw.channel_daily (
    extraction_id varchar not null,
    day date not null,
    campaign_id varchar,
    campaign_name varchar,
    ad_set_id varchar,
    ad_id varchar,
    breakdown varchar,                    -- null: none; what splits an entity's day into several rows
    currency varchar,
    spend decimal(18, 4),
    impressions bigint,
    clicks bigint,
    conversions double,                   -- as the platform claims them
    conversion_value decimal(18, 4)
);
