{{ stage_event('dispute.contested') }}
