{{ stage_event('webhook_endpoint.disabled') }}
