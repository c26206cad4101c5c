-- Forget signatures whose time window has passed.
DELETE FROM webhook_seen WHERE expires_at < $1
