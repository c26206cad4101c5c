-- Answers to buyers that were given over $1 days ago: no window of a rating reaches back so far.
DELETE FROM thread_reply WHERE answered_at < app_now() - $1::integer * interval '1 day'
