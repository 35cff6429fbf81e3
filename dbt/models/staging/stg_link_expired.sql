{{ stage_event('link.expired') }}
