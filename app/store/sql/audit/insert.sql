-- One transition, or one act of a person.
INSERT INTO audit (at, scope, actor, subject, from_state, to_state, detail)
VALUES (app_now(), $1, $2, $3, $4, $5, $6)
