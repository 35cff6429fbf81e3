{{ stage_event('link.created') }}
