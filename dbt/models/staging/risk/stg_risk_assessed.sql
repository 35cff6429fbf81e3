{{ stage_event('risk.assessed') }}
