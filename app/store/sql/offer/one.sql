-- One offer of each channel, to explain it to a person. Index: the primary key.
SELECT * FROM offer WHERE scope = $1 AND sku = $2
