{{ stage_event('payment.succeeded') }}
