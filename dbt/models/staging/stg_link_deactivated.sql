{{ stage_event('link.deactivated') }}
