{{ stage_event('checkout.completed') }}
