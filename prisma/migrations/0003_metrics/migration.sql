-- Samples partitioned by day, so that old ones go by dropping a table, and their roll-ups.

-- Partitions stand in a schema of their own: they are storage, not part of the model.
CREATE SCHEMA metric_partitions;

ALTER TABLE metric_samples RENAME TO metric_samples_before;
ALTER TABLE metric_samples_before RENAME CONSTRAINT metric_samples_pkey TO metric_samples_before_pkey;
ALTER SEQUENCE metric_samples_sample_id_seq RENAME TO metric_samples_before_sample_id_seq;

CREATE TABLE metric_samples (
  sample_id         bigint GENERATED ALWAYS AS IDENTITY,
  metric_id         text NOT NULL,
  at                timestamptz(3) NOT NULL,
  value             double precision NOT NULL,
  observed_revision text,
  source            text NOT NULL,
  -- sha256 of what the source answered; a pushed sample is all in its row.
  raw_digest        text,
  pushed_by         text NOT NULL,
  pushed_role       text NOT NULL,
  received_at       timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  -- Also the index of a series: read backwards it gives the newest sample first.
  PRIMARY KEY (metric_id, at, sample_id)
) PARTITION BY RANGE (at);

-- Samples of all metrics by time, for the roll-ups: they lie in that order anyway, so the index is a few pages.
CREATE INDEX metric_samples_at ON metric_samples USING brin (at) WITH (autosummarize = on);

-- What comes for a day without a partition waits here until the day gets one.
CREATE TABLE metric_partitions.samples_default PARTITION OF metric_samples DEFAULT;

INSERT INTO metric_samples (metric_id, at, value, observed_revision, source, pushed_by, pushed_role, received_at)
  SELECT metric_id, at, value, observed_revision, source, pushed_by, pushed_role, received_at
    FROM metric_samples_before ORDER BY sample_id;
DROP TABLE metric_samples_before;

-- Samples of five minutes in one row; `sketch` holds the bins of a DDSketch of 1 % relative
-- accuracy, mergeable over buckets.
CREATE TABLE metric_rollups (
  metric_id text NOT NULL,
  bucket    timestamptz(3) NOT NULL,
  count     bigint NOT NULL,
  min       double precision NOT NULL,
  max       double precision NOT NULL,
  sum       double precision NOT NULL,
  sketch    bytea NOT NULL,
  PRIMARY KEY (metric_id, bucket)
);
CREATE INDEX metric_rollups_bucket ON metric_rollups (bucket);

-- Figures about missions that ended lately.
CREATE INDEX missions_ended ON missions (ended_at) WHERE ended_at IS NOT NULL;

-- Makes a day's partition, with what already came for that day. @returns whether it is new
CREATE FUNCTION make_metric_partition(day date) RETURNS boolean
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  name text := 'samples_' || to_char(day, 'YYYYMMDD');
BEGIN
  IF to_regclass('metric_partitions.' || name) IS NOT NULL THEN
    RETURN false;
  END IF;
  EXECUTE format('CREATE TABLE metric_partitions.%I (LIKE public.metric_samples INCLUDING DEFAULTS)', name);
  -- From here on nothing more may come for this day until the partition is there.
  LOCK TABLE metric_partitions.samples_default IN ACCESS EXCLUSIVE MODE;
  EXECUTE format(
    'WITH moved AS (DELETE FROM metric_partitions.samples_default WHERE at >= %L AND at < %L RETURNING *)
     INSERT INTO metric_partitions.%I SELECT * FROM moved', day::timestamptz, (day + 1)::timestamptz, name);
  EXECUTE format('ALTER TABLE public.metric_samples ATTACH PARTITION metric_partitions.%I FOR VALUES FROM (%L) TO (%L)',
    name, day::timestamptz, (day + 1)::timestamptz);
  RETURN true;
END $$;

-- Drops the days before `keep_from` and makes those up to `ahead_to`. The application's role may not own the tables: this
-- runs as their owner, and does nothing else.
CREATE FUNCTION maintain_metric_partitions(keep_from date, ahead_to date, OUT made integer, OUT dropped integer)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  name text;
  day date;
BEGIN
  made := 0;
  dropped := 0;
  -- One at a time: two workers may come at once.
  PERFORM pg_advisory_xact_lock(7205, 3);
  FOR name IN
    SELECT c.relname FROM pg_class c
     WHERE c.relnamespace = 'metric_partitions'::regnamespace AND c.relkind = 'r' AND c.relname ~ '^samples_\d{8}$'
       AND to_date(substr(c.relname, 9), 'YYYYMMDD') < keep_from
  LOOP
    EXECUTE format('DROP TABLE metric_partitions.%I', name);
    dropped := dropped + 1;
  END LOOP;
  DELETE FROM metric_partitions.samples_default WHERE at < keep_from::timestamptz;
  FOR day IN
    SELECT d::date FROM generate_series(ahead_to - 3, ahead_to, interval '1 day') d WHERE d::date >= keep_from
    UNION SELECT at::date FROM metric_partitions.samples_default WHERE at < (ahead_to + 1)::timestamptz
    ORDER BY 1
  LOOP
    IF public.make_metric_partition(day) THEN
      made := made + 1;
    END IF;
  END LOOP;
END $$;
