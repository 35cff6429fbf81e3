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

updated as (
    select link_id, reference, channel, campaign, expires_at, updated_at
    from {{ ref('stg_link_updated') }}
    qualify row_number() over (partition by link_id order by sequence desc) = 1
),

-- An event says all that a link is then: what it leaves out has no value any more.
current_terms as (
    select
        links.link_id,
        case when updated.link_id is null then links.reference else updated.reference end as reference,
        case when updated.link_id is null then links.channel else updated.channel end as channel,
        case when updated.link_id is null then links.campaign else updated.campaign end as campaign,
        case when updated.link_id is null then links.expires_at else updated.expires_at end as expires_at,
        updated.updated_at
    from {{ ref('stg_link_created') }} as links
    left join updated on links.link_id = updated.link_id
),

-- An end that was announced and then moved is no end.
expired as (
    select distinct ended.link_id, ended.expired_at
    from {{ ref('stg_link_expired') }} as ended
    inner join current_terms on ended.link_id = current_terms.link_id and ended.expired_at = current_terms.expires_at
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
        when expired.link_id is not null then 'expired'
        else 'active'
    end as status,
    current_terms.reference,
    links.usage,
    links.currency,
    links.amount_minor,
    current_terms.channel,
    current_terms.campaign,
    coalesce(sessions.session_count, 0) as session_count,
    links.created_at,
    current_terms.updated_at,
    current_terms.expires_at,
    expired.expired_at,
    deactivated.deactivated_at,
    completed.completed_at,
    {{ business_date('links.created_at') }} as created_on
from {{ ref('stg_link_created') }} as links
inner join current_terms on links.link_id = current_terms.link_id
left join expired on links.link_id = expired.link_id
left join deactivated on links.link_id = deactivated.link_id
left join completed on links.link_id = completed.link_id
left join sessions on links.link_id = sessions.link_id
