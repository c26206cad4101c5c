-- How many living products there are.
SELECT count(*) FROM product WHERE scope = $1 AND gone_at IS NULL
