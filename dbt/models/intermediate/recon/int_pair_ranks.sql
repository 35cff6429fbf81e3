-- Where several lines name one item: 1 is the item's pair, the others repeat it. The order is total, so row order cannot matter.
with pairs as (
    select 1 as pass, * from {{ ref('int_settlement_pairs') }}
    union all
    select 2, * from {{ ref('int_modified_pairs') }}
),

repeated as (
    select item_id
    from (
        select item_id from {{ ref('int_settlement_pairs') }}
        union all
        select item_id from {{ ref('int_modified_pairs') }}
    )
    group by item_id
    having count(*) > 1
)

select
    line_id,
    item_id,
    row_number() over (
        partition by item_id
        order by
            pass,
            (settled_currency = booked_currency and settled_minor = booked_minor) desc,
            (settled_currency = booked_currency) desc,
            settled_on,
            batch_number,
            line_number,
            line_id
    ) as line_rank
from pairs
where item_id in (select repeated.item_id from repeated)
