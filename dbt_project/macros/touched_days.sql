{#
    The UTC days that a model of days must make anew, as literals: those of every event that is new to it, of clicks whose delivery is (it
    decides whether a scanner clicked) and of people whose id is now known to be somebody else's.
#}
{% macro touched_days(built) %}
    {%- set deliveries, aliases = ref('stg_events__deliveries'), ref('stg_events__aliases') -%}
    {%- if not (execute and is_incremental()) -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set is_new = not_taken_in(built) -%}
    {%- set query -%}
        select cast(occurred_at as date)
        from {{ ref('stg_events__events') }}
        where {{ is_new }}
        union
        select cast(clicks.occurred_at as date)
        from {{ ref('stg_events__events') }} as clicks
        inner join {{ deliveries }} as deliveries on clicks.send_id = deliveries.send_id
        where clicks.event_name = 'Email Link Clicked' and {{ is_new | replace('ingested_at', 'deliveries.delivery_ingested_at') }}
        union
        select built.activity_on
        from {{ built }} as built
        inner join (
            select aliases.user_id, aliases.person_id
            from {{ aliases }} as aliases
            where aliases.user_id in (select user_id from {{ built }})
        ) as merged on built.user_id in (merged.user_id, merged.person_id)
        order by 1
    {%- endset -%}
    {{ return(days_of(query)) }}
{% endmacro %}

{# Empties the touched days before they are inserted anew: a day may lose its last row. #}
{% macro empty_touched_days() %}
    {%- if is_incremental() -%}
        {%- set days = touched_days(this) -%}
        {%- if days -%}delete from {{ this }} where activity_on in ({{ days | join(', ') }}){%- else -%}select 1{%- endif -%}
    {%- endif -%}
{% endmacro %}

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
