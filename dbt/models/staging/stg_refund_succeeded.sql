{{ stage_event('refund.succeeded') }}
