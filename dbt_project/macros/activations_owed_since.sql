{#
    The day, as a literal, since which people who signed up may have another activation than int_people__activations says: none for everyone,
    in a full build and where a program's definition is new. An event can change the activation of those whose window it lies in, and an
    event that was told late lies in the windows of its own time.
#}
{% macro activations_owed_since(built) %}
    {%- set steps, moments = ref('int_people__activation_steps'), ref('int_people__moments') -%}
    {%- if not (execute and is_incremental()) -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set defined -%}
        select
            program,
            within_days,
            {{ names_of_steps('steps') }} as step_names
        from {{ steps }} as steps
        group by program, within_days
    {%- endset -%}
    {%- set definitions = run_query(defined).rows -%}
    {%- for program, within_days, step_names in definitions -%}
        {%- set held = 'select 1 from ' ~ built ~ ' where program = ' ~ text_or_null(program) ~ ' and within_days = ' ~ within_days -%}
        {%- if not run_query(held ~ ' and step_names = ' ~ text_or_null(step_names) ~ ' limit 1').rows -%}
            {{ return(none) }}
        {%- endif -%}
    {%- endfor -%}
    {%- set within = definitions | map(attribute=1) | max | default(0, true) -%}
    {%- set first -%}
        select coalesce({{ days_after('min(activity_on)', -within) }}, date '9999-12-31') as day
        from {{ moments }}
        where received_events > {{ received_by(built) }}
    {%- endset -%}
    {{ return(days_of(first) | first) }}
{% endmacro %}

{# A program's steps in one text, such as |Signed Up|Feature Used: by it a build knows whether the definition is the one it made its rows by. #}
{% macro names_of_steps(steps) %}{{ return(joined_text("concat('|', " ~ steps ~ ".event_name)", steps ~ '.step_number')) }}{% endmacro %}
