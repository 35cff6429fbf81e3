{{ stage_event('renewal.upcoming') }}
