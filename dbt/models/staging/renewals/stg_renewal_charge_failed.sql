{{ stage_event('renewal.charge_failed') }}
