-- The items of groups (pass 3), each with its match.
with groups as (
    select distinct match_id, item_ids from {{ ref('int_grouped_lines') }} where pass = 'group'
)

select unnest(item_ids) as item_id, match_id from groups
