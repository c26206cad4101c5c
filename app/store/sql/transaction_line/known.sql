-- What is stored of some lines, to see what is new. Index: the primary key.
SELECT * FROM transaction_line WHERE scope = $1 AND transaction_id = ANY ($2::text[])
