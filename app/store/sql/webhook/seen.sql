-- Take a signature as a replay key; no row back: it was taken before. Index: the primary key.
INSERT INTO webhook_seen (signature, expires_at) VALUES ($1, $2)
ON CONFLICT (signature) DO NOTHING
RETURNING signature
