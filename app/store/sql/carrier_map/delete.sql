-- One row of the carrier table is taken out, and told as it was. Index: the primary key.
DELETE FROM carrier_map WHERE scope = $1 AND text = $2 RETURNING code, name, url
