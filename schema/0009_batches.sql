-- Deliveries that leave a mailbox together share a request, or a message.
ALTER TABLE notify.deliveries ADD COLUMN batch uuid;
ALTER TABLE notify.integration_state ADD COLUMN together int;

COMMENT ON COLUMN notify.deliveries.batch IS 'The request, or the message, that its last attempt shared with others; none: it had one of its own.';
COMMENT ON COLUMN notify.integration_state.together IS 'How many deliveries may leave its mailbox in one request or message; none: one.';
