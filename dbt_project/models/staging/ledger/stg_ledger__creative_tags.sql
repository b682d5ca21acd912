-- One row per creative and tag that the deterministic extractors found; given tags stay in the ledger and are never evidence.

select distinct
    creative_id,
    tag
from {{ source('ledger', 'creative_tags') }}
where source = 'extractor'
