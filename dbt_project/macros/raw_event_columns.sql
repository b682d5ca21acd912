{# Columns of raw.events that the models of events carry. #}
{% macro raw_event_columns() %}
    {{ return([
        'event_id', 'source', 'type', 'event_name', 'user_id', 'anonymous_id', 'occurred_at', 'original_at', 'sent_at', 'received_at',
        'ingested_at', 'experiment_id', 'creative_id', 'send_id', 'channel', 'is_machine', 'value', 'currency', 'properties', 'context',
        'schema_version', 'import_id',
    ]) }}
{% endmacro %}
