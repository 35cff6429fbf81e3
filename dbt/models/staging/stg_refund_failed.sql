{{ stage_event('refund.failed') }}
