{{ stage_event('link.reactivated') }}
