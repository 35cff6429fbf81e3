-- What checkout reads before an attempt: the events of one entity, from the outbox, in one snapshot (web/risk).
-- The service itself still cannot read the outbox. Tokens are looked up by a 64-bit hash, so that no index holds one: what
-- erasure empties in the rows is gone.
--
-- Row-level security would keep these expressions out of the index conditions (they are not leakproof), and a payment would
-- wait for a scan of all the merchant's events. So one narrow door reads as tenant_lookup, and names the tenant itself.

CREATE INDEX outbox_risk_by_email ON outbox (merchant_id, hashtextextended(data->>'email_token', 0), time)
  WHERE type = 'risk.assessed';
CREATE INDEX outbox_risk_by_card ON outbox (merchant_id, hashtextextended(data->>'card_token', 0), time)
  WHERE type = 'risk.assessed';
CREATE INDEX outbox_risk_by_device ON outbox (merchant_id, hashtextextended(data->>'device_token', 0), time)
  WHERE type = 'risk.assessed';
CREATE INDEX outbox_risk_by_ip ON outbox (merchant_id, hashtextextended(data->>'ip_token', 0), time)
  WHERE type = 'risk.assessed';
CREATE INDEX outbox_risk_by_link ON outbox (merchant_id, (data->>'link_id'), time)
  WHERE type IN ('risk.assessed', 'payment.succeeded', 'payment.failed');
CREATE INDEX outbox_risk_by_merchant ON outbox (merchant_id, time)
  WHERE type IN ('risk.assessed', 'payment.requires_action', 'payment.succeeded', 'payment.failed');

CREATE POLICY lookup ON outbox FOR SELECT TO tenant_lookup USING (true);
GRANT SELECT (xid, type, subject, sequence, merchant_id, livemode, time, data) ON outbox TO tenant_lookup;
GRANT EXECUTE ON FUNCTION current_merchant() TO tenant_lookup;

-- The current merchant's events of one entity from `p_since` on, but for those of this very transaction. An event belongs to
-- the tokens of its payment's last assessment, if that was less than `p_attribution` before it. STABLE: it sees the snapshot
-- of the statement that calls it.
CREATE FUNCTION risk_events(p_entity text, p_value text, p_livemode boolean, p_since timestamptz, p_attribution interval)
  RETURNS TABLE (type text, "time" timestamptz, data jsonb)
  LANGUAGE sql STABLE SECURITY DEFINER ROWS 100 SET search_path = public, pg_temp
  AS $$
  SELECT e.type, e.time, e.data
    FROM (
      SELECT subject, sequence, time FROM public.outbox
       WHERE p_entity = 'email_token' AND type = 'risk.assessed' AND merchant_id = public.current_merchant()
         AND hashtextextended(data->>'email_token', 0) = hashtextextended(p_value, 0) AND data->>'email_token' = p_value
         AND livemode = p_livemode AND time > p_since - p_attribution
      UNION ALL
      SELECT subject, sequence, time FROM public.outbox
       WHERE p_entity = 'card_token' AND type = 'risk.assessed' AND merchant_id = public.current_merchant()
         AND hashtextextended(data->>'card_token', 0) = hashtextextended(p_value, 0) AND data->>'card_token' = p_value
         AND livemode = p_livemode AND time > p_since - p_attribution
      UNION ALL
      SELECT subject, sequence, time FROM public.outbox
       WHERE p_entity = 'device_token' AND type = 'risk.assessed' AND merchant_id = public.current_merchant()
         AND hashtextextended(data->>'device_token', 0) = hashtextextended(p_value, 0) AND data->>'device_token' = p_value
         AND livemode = p_livemode AND time > p_since - p_attribution
      UNION ALL
      SELECT subject, sequence, time FROM public.outbox
       WHERE p_entity = 'ip_token' AND type = 'risk.assessed' AND merchant_id = public.current_merchant()
         AND hashtextextended(data->>'ip_token', 0) = hashtextextended(p_value, 0) AND data->>'ip_token' = p_value
         AND livemode = p_livemode AND time > p_since - p_attribution
    ) AS a
    JOIN public.outbox AS e ON e.subject = a.subject AND e.sequence >= a.sequence
   WHERE e.type IN ('risk.assessed', 'payment.requires_action', 'payment.succeeded', 'payment.failed')
     AND e.time >= p_since AND e.time < a.time + p_attribution
     AND e.xid IS DISTINCT FROM pg_current_xact_id_if_assigned()
     AND NOT EXISTS (SELECT FROM public.outbox AS b
                      WHERE b.subject = a.subject AND b.type = 'risk.assessed'
                        AND b.sequence > a.sequence AND b.sequence <= e.sequence)
  UNION ALL
  SELECT e.type, e.time, e.data FROM public.outbox AS e
   WHERE p_entity = 'link' AND e.type IN ('risk.assessed', 'payment.succeeded', 'payment.failed')
     AND e.merchant_id = public.current_merchant() AND e.data->>'link_id' = p_value
     AND e.livemode = p_livemode AND e.time >= p_since AND e.xid IS DISTINCT FROM pg_current_xact_id_if_assigned()
  UNION ALL
  SELECT e.type, e.time, e.data FROM public.outbox AS e
   WHERE p_entity = 'merchant' AND e.type IN ('risk.assessed', 'payment.requires_action', 'payment.succeeded', 'payment.failed')
     AND e.merchant_id = public.current_merchant() AND p_value = public.current_merchant()
     AND e.livemode = p_livemode AND e.time >= p_since AND e.xid IS DISTINCT FROM pg_current_xact_id_if_assigned()
  $$;
REVOKE EXECUTE ON FUNCTION risk_events(text, text, boolean, timestamptz, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION risk_events(text, text, boolean, timestamptz, interval) TO web;

-- Last, because giving a function away gives up the right to grant it.
GRANT CREATE ON SCHEMA public TO tenant_lookup;
ALTER FUNCTION risk_events(text, text, boolean, timestamptz, interval) OWNER TO tenant_lookup;
REVOKE CREATE ON SCHEMA public FROM tenant_lookup;
