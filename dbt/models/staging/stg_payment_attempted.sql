{{ stage_event('payment.attempted') }}
