-- The carrier table of a channel. Index: the primary key.
SELECT text, code, name, url, mapped_by, mapped_at FROM carrier_map WHERE scope = $1 ORDER BY text
