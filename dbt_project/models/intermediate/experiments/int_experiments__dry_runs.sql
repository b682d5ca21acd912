-- One row per experiment of which every message was a dry run: it dealt people to arms, and nobody was written to.

{{ config(materialized='view') }}

select experiment_id
from {{ ref('stg_ledger__sends') }}
group by experiment_id
having bool_and(is_dry_run)
