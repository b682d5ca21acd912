-- Which views this warehouse has as the project defines them, one by one: a build of some models leaves theirs alone too.

drop table ledger.built_views;

create table ledger.built_views (
    view_name varchar not null,       -- of the dbt model, with its schema
    fingerprint varchar not null,     -- digest of the dbt project and the migrations it was written from
    primary key (view_name)
);
