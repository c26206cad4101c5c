-- One plan. Index: the primary key.
SELECT * FROM plan WHERE number = $1
