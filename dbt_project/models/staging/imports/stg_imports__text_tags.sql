-- One row per distinct text: the tags of the taxonomy version that read it last.

with

readings as (
    select
        *,
        row_number() over (partition by text order by recorded_at desc, taxonomy_version) as from_the_last
    from {{ source('raw', 'text_tags') }}
)

select
    text,
    tags,
    taxonomy_version
from readings
where from_the_last = 1
