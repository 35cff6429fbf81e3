{{ stage_event('renewal.updated') }}
