-- Facts that came over $1 days ago; those that could not be read wait for a person.
DELETE FROM inbox WHERE received_at < app_now() - $1::integer * interval '1 day' AND state = 'stored'
