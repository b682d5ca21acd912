-- One row per look at a count of a post on Bluesky. A post that is gone has no row any more, which is no fall to zero.

with

rows_read as (
    select * from {{ source('raw_bluesky', 'posts') }}
),

readings as (
    select distinct
        reading_id,
        provider,
        account_id,
        extracted_at
    from {{ ref('stg_pulls__readings') }}
),

looks as (
    select
        readings.*,
        rows_read.item
    from rows_read
    inner join readings on rows_read.reading_id = readings.reading_id
),

counts as (
    {% for counter, field in [
        ('likes', 'likeCount'), ('reposts', 'repostCount'), ('replies', 'replyCount'), ('quotes', 'quoteCount'),
        ('bookmarks', 'bookmarkCount'),
    ] %}
        select
            provider,
            account_id,
            {{ json_at('item', ['uri']) }} as item_id,
            '{{ counter }}' as counter,
            try_cast({{ json_at('item', [field]) }} as bigint) as total,
            extracted_at
        from looks
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    provider,
    account_id,
    item_id,
    counter,
    total,
    extracted_at as observed_at,
    extracted_at
from counts
where total is not null
