{#
    What a model of days owes for events since it was last built:

    until    predicate on `ingested_at`: events that this build knows; what arrives while it runs is the next one's
    merged   predicate on `ingested_at`: events that are new, and change nothing that is there but by being added to it; none for none
    made     days, as literals, whose rows are made anew from all of their events; none in a full build

    What is new is added, so that a build reads what came and not the days it fell on. Days are made anew where something old changed: a
    click whose delivery is new, or the third link of its message (they decide whether a scanner clicked), a person whose id is now known
    to be somebody else's, an instant that is taken in again. `and_is_owed` reads both; rows that something is added to are replaced
    (`merged_by`).

    people_days   as in `touched_days`
#}
{% macro owed_events(built, people_days=none) %}
    {%- set made, latest = days_made_anew(built, people_days), 'select built_through from ' ~ ref('stg_events__learned') -%}
    {%- if not (execute and is_incremental()) -%}
        {{ return({'until': 'ingested_at <= (' ~ latest ~ ')', 'merged': none, 'made': none}) }}
    {%- endif -%}
    {%- set known = run_query(latest).rows[0][0] -%}
    {%- set until = 'true' if known is none else "ingested_at <= timestamp '" ~ known ~ "'" -%}
    {%- set is_new = not_taken_in(built) -%}
    {{ return({'until': until, 'merged': is_new if adds_events(is_new) else none, 'made': made}) }}
{% endmacro %}

{# The days of it that are made anew, as above. #}
{% macro days_made_anew(built, people_days=none) %}
    {%- set timed, deliveries, aliases = ref('stg_events__timed'), ref('stg_events__deliveries'), ref('stg_events__aliases') -%}
    {%- set instants, former, repeats = ref('stg_events__instants'), ref('stg_events__former_people'), ref('stg_events__repeats') -%}
    {%- set scanned = ref('stg_events__scanned') -%}
    {%- if not (execute and is_incremental()) -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set is_new = not_taken_in(built) -%}
    {%- if not adds_events(is_new) -%}
        {{ return(touched_days(built, people_days)) }}
    {%- endif -%}
    {%- set queries, delivery_is_new = [], is_new | replace('ingested_at', 'deliveries.delivery_ingested_at') -%}
    {%- if run_query('select 1 from ' ~ deliveries ~ ' as deliveries where ' ~ delivery_is_new ~ ' limit 1').rows -%}
        {%- set click_is_new = is_new | replace('ingested_at', 'clicks.ingested_at') -%}
        {%- do queries.append(days_of_clicks_on(delivery_is_new) ~ ' and not (' ~ click_is_new ~ ')') -%}
    {%- endif -%}
    {%- set scanned_before = days_of_scanners(is_new) ~ ' and not (' ~ is_new ~ ')' -%}
    {%- if run_query(scanned_before ~ ' limit 1').rows -%}
        {%- do queries.append(scanned_before) -%}
    {%- endif -%}
    {%- if run_query(new_merges(is_new)).rows -%}
        {%- do queries.append(days_of_merged_people(built, is_new, people_days)) -%}
    {%- endif -%}
    {{ return(days_of('select distinct day from (' ~ queries | join(' union ') ~ ') as made order by day') if queries else []) }}
{% endmacro %}

{# Whether what is new is added: not on Parquet, which knows no delete, and not where an instant is taken in again. #}
{% macro adds_events(is_new) %}{{ return(adapter.dispatch('adds_events')(is_new)) }}{% endmacro %}
{% macro default__adds_events(is_new) %}{{ return(' >= ' not in is_new) }}{% endmacro %}
{% macro spark__adds_events(is_new) %}{{ return(false) }}{% endmacro %}

{# Restricts a read of stg_events__events to what is owed. #}
{% macro and_is_owed(owed) -%}
    and {{ owed.until }}
    {% if owed.merged and owed.made -%}
        and ({{ owed.merged }} or cast(occurred_at as date) in ({{ owed.made | join(', ') }}))
    {%- elif owed.merged -%}
        and {{ owed.merged }}
    {%- elif owed.made is not none -%}
        {{ and_is_touched(owed.made) }}
    {%- endif %}
{%- endmacro %}

{# Restricts a read of stg_events__events to what is there already and stays. #}
{% macro and_is_kept(owed) -%}
    and {{ owed.until }}
    {% if owed.merged %} and not ({{ owed.merged }}) {% endif %}
    {% if owed.made %} and cast(occurred_at as date) not in ({{ owed.made | join(', ') }}) {% endif %}
{%- endmacro %}
