{{ stage_event('merchant.updated') }}
