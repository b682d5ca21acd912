-- One row per row of experiment_statistics, with digests of its ids in place of the ids: what the evidence is summed from.
-- Long texts as keys cost more than the statistics. A view: what is not read is not digested.

{{ config(materialized='view') }}

select
    {{ key_of(['program', 'experiment_id', 'segment', 'creative_id']) }} as arm_key,
    {{ key_of(['program', 'experiment_id', 'segment']) }} as segment_key,
    {{ key_of(['program', 'experiment_id']) }} as experiment_key,
    {{ key_of(['metric']) }} as metric_key,
    {{ key_of(['program', 'metric', 'experiment_id', 'segment']) }} as comparison_key,
    cycle,
    n,
    sum_y,
    sum_y2
from {{ ref('experiment_statistics') }}
