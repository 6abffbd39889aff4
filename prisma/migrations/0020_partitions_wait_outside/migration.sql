-- Whoever writes a sample while its day gets a partition waits before it is decided where the sample goes. Waiting for the
-- default partition it had been decided already, and the row was refused by a partition that was no longer for it (23514).
CREATE OR REPLACE FUNCTION make_metric_partition(day date) RETURNS boolean
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  name text := 'samples_' || to_char(day, 'YYYYMMDD');
BEGIN
  IF to_regclass('metric_partitions.' || name) IS NOT NULL THEN
    RETURN false;
  END IF;
  EXECUTE format('CREATE TABLE metric_partitions.%I (LIKE public.metric_samples INCLUDING DEFAULTS)', name);
  -- Readers go on; nothing more may come for any day until the partition is there.
  LOCK TABLE public.metric_samples IN SHARE ROW EXCLUSIVE MODE;
  EXECUTE format(
    'WITH moved AS (DELETE FROM metric_partitions.samples_default WHERE at >= %L AND at < %L RETURNING *)
     INSERT INTO metric_partitions.%I SELECT * FROM moved', day::timestamptz, (day + 1)::timestamptz, name);
  EXECUTE format('ALTER TABLE public.metric_samples ATTACH PARTITION metric_partitions.%I FOR VALUES FROM (%L) TO (%L)',
    name, day::timestamptz, (day + 1)::timestamptz);
  RETURN true;
END $$;
