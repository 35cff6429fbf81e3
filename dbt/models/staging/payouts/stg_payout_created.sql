{{ stage_event('payout.created') }}
