{{ stage_event('dispute.closed') }}
