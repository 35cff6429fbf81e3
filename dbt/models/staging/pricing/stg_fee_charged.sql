{{ stage_event('fee.charged') }}
