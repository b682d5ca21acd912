{#
    Which raw events an incremental model has not taken in yet, as a predicate on `ingested_at` made of literals, so that an engine can
    skip the files and row groups of the past. Read from the model itself, never from a build log: a build that failed half-way repeats
    exactly what it owes.

    built   the model; its column `built_through` holds the latest ingested_at that it knows, `received_events` how many raw events that were
    known   the same two of a model that has a row of each event, and so needs no columns for them

    Instants are normally never shared between builds, and the past is closed. Where rows were added at or before the last instant after
    all (two imports of one instant, an event table that is loaded later than its rows say), stg_events__instants tells, and everything from
    the first such instant on is taken in again.
#}
{% macro not_taken_in(built, column='ingested_at', known='max(built_through), max(received_events)') %}
    {%- set instants = ref('stg_events__instants') -%}
    {%- if not (execute and is_incremental()) -%}
        {{ return('true') }}
    {%- endif -%}
    {%- set held = run_query('select ' ~ known ~ ' from ' ~ built).rows[0] -%}
    {%- if held[0] is none -%}
        {{ return('true') }}
    {%- endif -%}
    {%- set moment = "timestamp '" ~ held[0] ~ "'" -%}
    {%- set told = run_query(
        'select cast(coalesce(sum(events), 0) as bigint), min(case when received_events > ' ~ held[1] ~ ' then ingested_at end) from '
        ~ instants ~ ' where ingested_at <= ' ~ moment
    ).rows[0] -%}
    {%- if told[1] is not none -%}
        {{ return(column ~ " >= timestamp '" ~ told[1] ~ "'") }}
    {%- endif -%}
    {{ return(column ~ (' > ' if told[0] == held[1] else ' >= ') ~ moment) }}
{% endmacro %}

{#
    Whether stg_events__instants has a memory of its last build. Not where it is made anew (it would remember events of an adapter that is no
    longer declared, and then take the last instant in again for good), and not on Spark, which cannot read the table that it
    writes: there, events are taken to have come in the order of their instants.
#}
{% macro remembers_instants(built) %}
    {%- if not execute or target.type != 'duckdb' or should_full_refresh() or load_relation(built) is none -%}
        {{ return(false) }}
    {%- endif -%}
    {{ return('received_events' in adapter.get_columns_in_relation(built) | map(attribute='name')) }}
{% endmacro %}

{# Dates of a one-column query as a list of literals; none for no row. #}
{% macro days_of(query) %}
    {%- set days = [] -%}
    {%- if execute -%}
        {%- for row in run_query(query).rows -%}{%- do days.append("date '" ~ row[0] ~ "'") -%}{%- endfor -%}
    {%- endif -%}
    {{ return(days) }}
{% endmacro %}

{# How many raw events a model had seen when it was last built, as a literal: what holds more is new to it. #}
{% macro received_by(built) %}
    {%- if not (execute and is_incremental()) -%}
        {{ return(-1) }}
    {%- endif -%}
    {%- set known = run_query('select max(received_events) from ' ~ built).rows[0][0] -%}
    {{ return(-1 if known is none else known) }}
{% endmacro %}

{# Instants at which copies came of what stg_events__suspects has anew, as literals: only there are they looked for. #}
{% macro suspected_instants(built) %}
    {%- set suspects, moments = ref('stg_events__suspects'), [] -%}
    {%- if execute and is_incremental() -%}
        {%- set arrived = 'select event_key from ' ~ suspects ~ ' where ' ~ not_taken_in(built) -%}
        {%- for row in run_query('select distinct ingested_at from ' ~ suspects ~ ' where event_key in (' ~ arrived ~ ')').rows -%}
            {%- do moments.append("timestamp '" ~ row[0] ~ "'") -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(moments) }}
{% endmacro %}

{#
    Which clicks are looked at beside new ones: a predicate on `received_at` of those received from a day before the earliest of them on.
    None in a full build, 'false' where no click is new.
#}
{% macro clicks_received_since(is_new) %}
    {%- set timed = ref('stg_events__timed') -%}
    {%- if not (execute and is_incremental()) -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set first = run_query(
        'select min(received_at) from ' ~ timed ~ " where event_name = 'Email Link Clicked' and send_id is not null and " ~ is_new
    ).rows[0][0] -%}
    {{ return('false' if first is none else 'received_at >= ' ~ time_after_days("timestamp '" ~ first ~ "'", -1)) }}
{% endmacro %}
