{{ stage_event('renewal.link_ready') }}
