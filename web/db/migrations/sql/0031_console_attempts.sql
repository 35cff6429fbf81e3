-- The console shows where each attempt of a payment went, and why.
CREATE POLICY console ON attempts FOR SELECT TO console USING (merchant_id = current_merchant() OR sees_region());
GRANT SELECT (id, merchant_id, payment_id, gateway, gateway_reference, status, decline_code, routing, created_at) ON attempts TO console;
