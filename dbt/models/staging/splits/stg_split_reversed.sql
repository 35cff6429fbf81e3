{{ stage_event('split.reversed') }}
