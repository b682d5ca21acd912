{#
    The UTC days that a model of days must make anew, as literals: those of every event that is new to it, of clicks whose delivery is (it
    decides whether a scanner clicked) and of people whose id is now known to be somebody else's: those still under the old id in the model
    itself, or, for a model without ids of people, all of theirs in `people_days` once such a merge is new to it. Of people to whom an id
    belonged before, likewise (stg_events__former_people).
#}
{% macro touched_days(built, people_days=none) %}
    {%- set deliveries, aliases, former = ref('stg_events__deliveries'), ref('stg_events__aliases'), ref('stg_events__former_people') -%}
    {%- set timed, instants, repeats = ref('stg_events__timed'), ref('stg_events__instants'), ref('stg_events__repeats') -%}
    {%- set scanned = ref('stg_events__scanned') -%}
    {%- if not (execute and is_incremental()) -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set is_new = not_taken_in(built) -%}
    {%- set delivery_is_new = is_new | replace('ingested_at', 'deliveries.delivery_ingested_at') -%}
    {%- set queries = ['select cast(happened_at as date) as day from ' ~ timed ~ ' where ' ~ is_new] -%}
    {%- if run_query('select 1 from ' ~ deliveries ~ ' as deliveries where ' ~ delivery_is_new ~ ' limit 1').rows -%}
        {%- do queries.append(days_of_clicks_on(delivery_is_new)) -%}
    {%- endif -%}
    {%- if run_query(days_of_scanners(is_new) ~ ' limit 1').rows -%}
        {%- do queries.append(days_of_scanners(is_new)) -%}
    {%- endif -%}
    {%- if ' >= ' in is_new -%}
        {%- do queries.append(days_of_displaced_copies(is_new)) -%}
    {%- endif -%}
    {%- if people_days is none -%}
        {%- set merges = '(select 1 from ' ~ aliases ~ ' limit 1) union all (select 1 from ' ~ former ~ ' limit 1)' -%}
    {%- else -%}
        {%- set merges = new_merges(is_new) -%}
    {%- endif -%}
    {%- if run_query(merges).rows -%}
        {%- do queries.append(days_of_merged_people(built, is_new, people_days)) -%}
    {%- endif -%}
    {{ return(days_of('select distinct day from (' ~ queries | join(' union ') ~ ') as touched order by day')) }}
{% endmacro %}

{#
    Query of the days of copies that counted until one came that counts before them: those of every clock, whichever was theirs. It can only
    have come where an instant is taken in again.
#}
{% macro days_of_displaced_copies(is_new) -%}
    {%- for moment in ['occurred_at', 'received_at', 'received_at - (sent_at - original_at)'] %}
        select cast({{ moment }} as date) as day
        from {{ ref('stg_events__repeats') }}
        where arrival > 1 and {{ moment }} is not null and {{ is_new }}
        {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# Query of the days of clicks that are known to be a scanner's since a word that is new. #}
{% macro days_of_scanners(is_new) -%}
    select cast(happened_at as date) as day from {{ ref('stg_events__scanned') }} where {{ is_new | replace('ingested_at', 'told_at') }}
{%- endmacro %}

{# Query of the days of clicks on a message whose delivery a predicate names. #}
{% macro days_of_clicks_on(delivery) -%}
    select cast(clicks.happened_at as date) as day
    from {{ ref('stg_events__timed') }} as clicks
    inner join {{ ref('stg_events__deliveries') }} as deliveries on clicks.send_id = deliveries.send_id
    where clicks.event_name = 'Email Link Clicked' and {{ delivery }}
{%- endmacro %}

{# Query that has a row if a merge of people is new. #}
{% macro new_merges(is_new) -%}
    {%- set told_is_new = is_new | replace('ingested_at', 'told_at') -%}
    (select 1 from {{ ref('stg_events__aliases') }} where {{ told_is_new }} limit 1)
    union all
    (select 1 from {{ ref('stg_events__former_people') }} where {{ told_is_new }} limit 1)
{%- endmacro %}

{# Query of people to whom an id no longer belongs, since a word that is new. #}
{% macro people_of_before(is_new) -%}
    select user_id from {{ ref('stg_events__former_people') }} where {{ is_new | replace('ingested_at', 'told_at') }}
{%- endmacro %}

{# Query of the days of people with an id that was merged into another's, or that had one which is another's now. #}
{% macro days_of_merged_people(built, is_new, people_days) -%}
    {%- set aliases = ref('stg_events__aliases') -%}
    {%- if people_days is not none -%}
        select activity_on as day from {{ people_days }} where user_id in (select person_id from {{ aliases }})
    {%- else -%}
        select days.activity_on as day
        from {{ built }} as days
        inner join (
            select
                user_id,
                person_id
            from {{ aliases }}
            where user_id in (select user_id from {{ built }})
        ) as merged on days.user_id in (merged.user_id, merged.person_id)
    {%- endif %}
    union all
    select activity_on as day from {{ people_days or built }} where user_id in ({{ people_of_before(is_new) }})
{%- endmacro %}

{#
    Restricts a read of stg_events__events to the touched days, in words that reach the raw table: no event occurs later than a day after
    it was received, so what was received before the first touched day's eve cannot be of it.
#}
{% macro and_is_touched(days) %}
    {%- if is_incremental() -%}
        {%- if days -%}
            and cast(occurred_at as date) in ({{ days | join(', ') }})
            and received_at >= cast({{ days_after(days | first, -1) }} as timestamp)
        {%- else -%}
            and false
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{# Days whose rows in int_people__known_days, or in another model of them, are new to a model made of it, and those it may have lost. #}
{% macro changed_days(built, days) %}
    {%- set made = days_made_anew(built, ref('int_people__known_days')) -%}
    {%- if not (execute and is_incremental()) -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set query = 'select activity_on as day from ' ~ days ~ ' where received_events > ' ~ received_by(built) -%}
    {%- if made -%}
        {%- set query = query ~ ' union all select day from (values (' ~ made | join('), (') ~ ')) as made (day)' -%}
    {%- endif -%}
    {{ return(days_of('select distinct day from (' ~ query ~ ') as changed order by day')) }}
{% endmacro %}
