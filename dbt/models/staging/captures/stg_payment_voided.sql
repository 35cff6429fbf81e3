{{ stage_event('payment.voided') }}
