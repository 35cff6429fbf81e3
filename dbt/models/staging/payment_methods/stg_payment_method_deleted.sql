{{ stage_event('payment_method.deleted') }}
