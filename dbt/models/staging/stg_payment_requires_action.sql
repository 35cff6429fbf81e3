{{ stage_event('payment.requires_action') }}
