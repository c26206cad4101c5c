-- An import about to be sent. The unique index on imports in flight refuses a second one. 
INSERT INTO import (scope, kind, effect_id, state, lines, dirty_since, sent_at)
VALUES ($1, $2, $3, 'sent', $4, $5, app_now())
RETURNING id
