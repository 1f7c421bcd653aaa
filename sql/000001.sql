-- Links between dedup and download. Everything lives in the schema pairmill, so that a server given with --db may
-- hold other things; one run needs one database.

-- Links that wait to be drawn. No key and no index: uniqueness is kept by pairmill.hashes, draws go by row address,
-- and an index would be written once and deleted once for nothing.
CREATE TABLE pairmill.links (
  hash bigint NOT NULL,
  record_offset bigint,
  url text NOT NULL,
  text text,
  language text,
  set_name text,
  licence text,
  uid text,
  page_url text,
  crawl_file text,
  -- Other columns of the input, as one JSON object. json, not jsonb: kept to the letter.
  rest json
);

-- Every hash that was ever ingested, so that a sample is known again after it has been drawn and finished.
-- 68 bytes a row, index included (measured: 1 M rows in 20 shards).
CREATE TABLE pairmill.hashes (
  hash bigint PRIMARY KEY
);

-- Shards of links that are in, each written in the transaction that brought its rows.
CREATE TABLE pairmill.ingested (
  shard text PRIMARY KEY,
  fingerprint text NOT NULL,
  rows bigint NOT NULL,
  -- Positions, from 0, of the shard's rows that were dropped as duplicates: a run that was killed after the commit
  -- and before its marker reports the same ones.
  duplicates integer[] NOT NULL,
  at timestamptz NOT NULL DEFAULT now()
);

-- Batches drawn from links; the shard is the number of the samples shard made from it.
CREATE TABLE pairmill.batches (
  shard integer PRIMARY KEY,
  rows integer NOT NULL,
  state text NOT NULL DEFAULT 'drawn' CHECK (state IN ('drawn', 'done')),
  drawn_at timestamptz NOT NULL DEFAULT now(),
  done_at timestamptz
);
CREATE INDEX batches_open ON pairmill.batches (shard) WHERE state = 'drawn';

-- The leased links of open batches: moved here by the statement that takes them out of links, deleted when the
-- batch is done. Position is the order of hash.
CREATE TABLE pairmill.batch_rows (
  shard integer NOT NULL,
  position integer NOT NULL,
  LIKE pairmill.links,
  PRIMARY KEY (shard, position)
);

-- One row. live = rows in links; exact, as every statement that adds or takes rows changes it too.
-- Room on the page lets each update stay there.
CREATE TABLE pairmill.staging (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  live bigint NOT NULL DEFAULT 0,
  next_shard integer NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO pairmill.staging DEFAULT VALUES;
