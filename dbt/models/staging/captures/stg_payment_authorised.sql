{{ stage_event('payment.authorised') }}
