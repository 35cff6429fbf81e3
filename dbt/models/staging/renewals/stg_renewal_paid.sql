{{ stage_event('renewal.paid') }}
