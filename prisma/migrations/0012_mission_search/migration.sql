-- Full text of a mission: its id, title, description and symptoms, word by word as they are spelt, whatever stands between the words.
-- The marks between words are named one by one: what counts as a letter depends on a database's locale.
-- Only the first part of endless symptoms: a tsvector holds a megabyte, and an insert must not fail for its index.
CREATE FUNCTION mission_words(mission_id text, package jsonb) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_tsvector('simple'::regconfig, regexp_replace(
  mission_id || ' ' || coalesce(package ->> 'title', '') || ' ' || coalesce(package ->> 'description', '') || ' ' ||
  left(coalesce(jsonb_path_query_array(package, '$.symptoms[*].description')::text, ''), 100000), '[\u0021-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u007e]+', ' ', 'g'));

CREATE INDEX missions_words ON missions USING gin (mission_words(mission_id, package));

-- The children of a mission, newest first; most missions have no parent.
CREATE INDEX missions_parent ON missions (parent_mission_id, created_seq DESC) WHERE parent_mission_id IS NOT NULL;
