{{ stage_event('capture.created') }}
