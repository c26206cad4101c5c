-- Incidents that were opened over $1 days ago: no window of a rating reaches back so far.
DELETE FROM line_incident WHERE opened_at < app_now() - $1::integer * interval '1 day'
