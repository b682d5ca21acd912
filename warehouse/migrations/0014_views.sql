-- Which definition of its views this warehouse has: a build writes views anew only when the project has changed since.

create table ledger.built_views (
    fingerprint varchar not null      -- digest of the dbt project and the migrations; the last row holds
);
