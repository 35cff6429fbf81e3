{{ stage_event('payout.paid') }}
