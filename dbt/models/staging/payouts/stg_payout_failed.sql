{{ stage_event('payout.failed') }}
