-- One row per creative and tag that is a fact: found in the text by the deterministic extractors, or set by the design as an element
-- that no text shows (a format, an incentive). Tags that a generator only says it gave stay in the ledger and are never evidence.

select distinct
    creative_id,
    tag
from {{ source('ledger', 'creative_tags') }}
where source in ('extractor', 'design')
