-- Every digest that came more than once is suspected: none of the others came twice.

{{ config(meta={'dagster': {'ref': {'name': 'stg_events__suspects'}}}) }}

select event_key
from {{ ref('stg_events__keys') }}
where event_key not in (select suspects.event_key from {{ ref('stg_events__suspects') }} as suspects where suspects.event_key is not null)
group by event_key
having count(*) > 1
