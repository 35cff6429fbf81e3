with reactivated as (
    select link_id, max(reactivated_at) as reactivated_at from {{ ref('stg_link_reactivated') }} group by link_id
),

deactivated as (
    select ended.link_id, max(ended.deactivated_at) as deactivated_at
    from {{ ref('stg_link_deactivated') }} as ended
    left join reactivated on ended.link_id = reactivated.link_id
    where reactivated.reactivated_at is null or ended.deactivated_at > reactivated.reactivated_at
    group by ended.link_id
),

completed as (
    select link_id, min(completed_at) as completed_at from {{ ref('stg_link_completed') }} group by link_id
),

sessions as (
    select link_id, count(*) as session_count from {{ ref('stg_checkout_opened') }} group by link_id
)

select
    links.link_id,
    links.livemode,
    links.region,
    links.merchant_id,
    case
        when completed.link_id is not null then 'completed'
        when deactivated.link_id is not null then 'deactivated'
        else 'active'
    end as status,
    links.reference,
    links.usage,
    links.currency,
    links.amount_minor,
    links.channel,
    links.campaign,
    coalesce(sessions.session_count, 0) as session_count,
    links.created_at,
    links.expires_at,
    deactivated.deactivated_at,
    completed.completed_at,
    {{ business_date('links.created_at') }} as created_on
from {{ ref('stg_link_created') }} as links
left join deactivated on links.link_id = deactivated.link_id
left join completed on links.link_id = completed.link_id
left join sessions on links.link_id = sessions.link_id
