select
    region,
    state,
    export,
    minimum_group_size,
    build,
    business_date,
    groups_withheld,
    reason
from {{ source('global', 'coverage') }}
