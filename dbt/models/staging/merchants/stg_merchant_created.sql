{{ stage_event('merchant.created') }}
