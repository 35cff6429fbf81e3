{{ stage_event('fee.adjusted') }}
