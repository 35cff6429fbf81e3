{{ stage_event('renewal.created') }}
