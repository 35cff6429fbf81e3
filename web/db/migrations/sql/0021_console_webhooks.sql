-- The console's test button: the one thing about webhooks that it writes. What it may insert is a test event and its
-- delivery, of a merchant that it shows.
CREATE POLICY console_tests ON webhook_events FOR INSERT TO console
  WITH CHECK (type = 'webhook.test' AND (merchant_id = current_merchant() OR sees_region()));
CREATE POLICY console_tests ON webhook_deliveries FOR INSERT TO console
  WITH CHECK (type = 'webhook.test' AND status = 'pending' AND (merchant_id = current_merchant() OR sees_region())
              AND EXISTS (SELECT FROM webhook_endpoints AS e
                           WHERE e.id = endpoint_id AND e.merchant_id = webhook_deliveries.merchant_id));
GRANT INSERT ON webhook_events, webhook_deliveries TO console;
