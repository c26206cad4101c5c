-- How many keys are held. Index: outbox_held.
SELECT count(*) FROM outbox WHERE state = 'held'
