{{ stage_event('payment.created') }}
