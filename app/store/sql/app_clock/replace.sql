-- The body of app_now() with the rate in it: constants, so that it stays inlined. A function's body takes no parameters;
-- the two instants and the scale are ours, never input.
CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $body$
    SELECT timestamptz '%s' + (statement_timestamp() - timestamptz '%s') * %r::double precision
$body$
