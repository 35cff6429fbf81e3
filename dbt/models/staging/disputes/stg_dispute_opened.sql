{{ stage_event('dispute.opened') }}
