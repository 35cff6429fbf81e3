{{ stage_event('checkout.opened') }}
