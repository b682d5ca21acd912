-- One row per session of a person: activity without a gap of more than session_gap_minutes, over one midnight at most.

{{ config(materialized='view') }}

{{ sessions_started() }}
