{{ stage_event('link.completed') }}
