{{ stage_event('checkout.expired') }}
