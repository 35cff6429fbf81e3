{{ stage_event('link.updated') }}
