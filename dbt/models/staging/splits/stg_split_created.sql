{{ stage_event('split.created') }}
