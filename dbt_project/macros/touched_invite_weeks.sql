{#
    Mondays of the weeks that int_people__invite_weeks must make anew, as literals in order; none in a full build. A week without an invite
    stands in for no week at all, so that the list is never empty.
#}
{% macro touched_invite_weeks(built) %}
    {%- set made = days_made_anew(built, ref('int_people__known_days')) -%}
    {%- if not (execute and is_incremental()) -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set query -%}
        with

        touched as (
            select distinct activity_on from {{ ref('int_people__moments') }} where received_events > {{ received_by(built) }}
            union
            select distinct activity_on from {{ ref('int_people__returns') }} where received_events > {{ received_by(built) }}
            {% if made %}
                union
                select activity_on from (values ({{ made | join('), (') }})) as made (activity_on)
            {% endif %}
        ),

        reached as (
            select
                touched.activity_on,
                {{ numbers_to('terms.referral_days') }} as earlier
            from touched
            cross join {{ ref('int_growth_terms') }} as terms
        )

        select distinct {{ week_of(days_after('activity_on', '-earlier')) }} as week from reached
        union
        select date '9999-12-27' as week
        order by week
    {%- endset -%}
    {{ return(days_of(query)) }}
{% endmacro %}
