{{ stage_event('capture.failed') }}
