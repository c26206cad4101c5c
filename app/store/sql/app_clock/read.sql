-- What app_now() says, and how fast it goes; scale NULL: it is the wall clock of the database.
SELECT app_now() AS app_at, (SELECT c.scale FROM app_clock AS c) AS scale
