{{ stage_event('refund.created') }}
