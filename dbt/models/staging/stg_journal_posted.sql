{{ stage_event('journal.posted') }}
