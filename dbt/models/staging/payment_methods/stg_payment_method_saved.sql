{{ stage_event('payment_method.saved') }}
