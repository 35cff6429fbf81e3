{{ stage_event('renewal.unpaid') }}
