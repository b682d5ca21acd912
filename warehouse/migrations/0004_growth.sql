-- What growth marts read besides events: exchange rates.

-- One row per told exchange rate; a rate told again later replaces the earlier one from its recorded_at on.
create table raw.exchange_rates (
    currency varchar not null,            -- ISO 4217
    reporting_currency varchar not null,  -- what amounts are turned into; one for the whole warehouse
    valid_from date not null,             -- holds until the next valid_from of the same currency
    rate double not null,                 -- units of reporting_currency for one unit of currency
    recorded_at timestamp not null
);
