{{ stage_event('checkout.submitted') }}
