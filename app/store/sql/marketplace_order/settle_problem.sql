-- A person lets an order go although something was found. Index: the primary key.
UPDATE marketplace_order SET problem = NULL, problem_team = NULL WHERE scope = $1 AND order_id = $2 RETURNING order_id
