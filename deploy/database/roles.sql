-- Who may do what. Once for each cluster, as a superuser, before the first `centra-mirakl migrate`; bears repetition:
--   psql --single-transaction -v ON_ERROR_STOP=1 -f deploy/database/roles.sql
-- Passwords are set by hand afterwards (\password centra_mirakl_run), never in a file. Clients connect with
-- sslmode=verify-full. grants.sql follows after each migration.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['centra_mirakl_owner', 'centra_mirakl_migrate', 'centra_mirakl_run',
                                  'centra_mirakl_read'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', wanted);
        END IF;
    END LOOP;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO centra_mirakl_migrate, centra_mirakl_run, centra_mirakl_read',
                   current_database());
END
$$;

-- Owns the schema's objects and never logs in.
ALTER ROLE centra_mirakl_owner NOLOGIN;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO centra_mirakl_owner;

-- Changes the schema, as its owner. Its runner bounds lock waits itself.
ALTER ROLE centra_mirakl_migrate LOGIN CONNECTION LIMIT 10;
GRANT centra_mirakl_owner TO centra_mirakl_migrate;
ALTER ROLE centra_mirakl_migrate SET role = 'centra_mirakl_owner';

-- The service.
ALTER ROLE centra_mirakl_run LOGIN;
ALTER ROLE centra_mirakl_run SET statement_timeout = '30s';
ALTER ROLE centra_mirakl_run SET lock_timeout = '10s';
ALTER ROLE centra_mirakl_run SET idle_in_transaction_session_timeout = '60s';
GRANT USAGE ON SCHEMA public TO centra_mirakl_run;

-- People who look: never a long lock, never a write.
ALTER ROLE centra_mirakl_read LOGIN CONNECTION LIMIT 10;
ALTER ROLE centra_mirakl_read SET default_transaction_read_only = 'on';
ALTER ROLE centra_mirakl_read SET statement_timeout = '15s';
ALTER ROLE centra_mirakl_read SET lock_timeout = '1s';
ALTER ROLE centra_mirakl_read SET idle_in_transaction_session_timeout = '30s';
ALTER ROLE centra_mirakl_read SET idle_session_timeout = '15min';
GRANT USAGE ON SCHEMA public TO centra_mirakl_read;

-- Statement parameters may one day hold buyer data: the server's log never shows them.
ALTER ROLE centra_mirakl_run SET log_parameter_max_length = 0;
ALTER ROLE centra_mirakl_run SET log_parameter_max_length_on_error = 0;
