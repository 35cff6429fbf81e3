{{ stage_event('renewal.ended') }}
