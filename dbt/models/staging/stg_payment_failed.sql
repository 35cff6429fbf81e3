{{ stage_event('payment.failed') }}
