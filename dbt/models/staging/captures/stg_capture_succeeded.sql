{{ stage_event('capture.succeeded') }}
