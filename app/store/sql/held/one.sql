-- One item that needs a person, by its name. Reads all that is held; for people.
SELECT item, scope, flow, key, team, reason, advice, evidence, held_at, amount, currency, due_at FROM held WHERE item = $1
