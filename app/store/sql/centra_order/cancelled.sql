-- An orphan is cancelled in Centra. Index: the primary key.
UPDATE centra_order SET cancelled_at = app_now() WHERE scope = $1 AND number = $2
