-- Links between dedup and draw. Everything lives in the schema pairmill, so that a server given with --db may hold other
-- things; one run needs one database.
--
-- All of it can be made again from links/ and batches/ (src/db/reconcile.ts). So the tables are UNLOGGED: nothing is
-- written twice for the sake of a crash, and a crash empties them all together.

-- Whose links these are. Kept over a crash: it says what the emptied tables are for.
CREATE TABLE pairmill.run (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  id text NOT NULL,
  -- The run's folder or prefix: a copy of it has the same id.
  location text NOT NULL
);

-- Links that wait to be drawn. No key and no index: uniqueness is kept by pairmill.hashes, draws go by row address,
-- and an index would be written once and deleted once for nothing.
CREATE UNLOGGED TABLE pairmill.links (
  hash bigint NOT NULL,
  record_offset bigint,
  url text NOT NULL,
  text text NOT NULL,
  language text NOT NULL,
  licence text,
  -- Null where it is the usual one, md5 of text and URL.
  uid text,
  page_url text,
  crawl_file text,
  -- Other columns of the input: a JSON array by position in pairmill.columns; text, since nothing here looks into it.
  rest text
);

-- Columns of links that Pairmill doesn't know, in the order in which they were met, with their type in batches/.
CREATE UNLOGGED TABLE pairmill.columns (
  position integer PRIMARY KEY,
  name text NOT NULL UNIQUE,
  type text NOT NULL CHECK (type IN ('string', 'int64', 'int32', 'float32', 'double', 'boolean'))
);

-- Every hash that was ever copied in, so that a sample is known again after it has been drawn, with the first shard that
-- has it.
CREATE UNLOGGED TABLE pairmill.hashes (
  hash bigint PRIMARY KEY,
  shard integer NOT NULL
);

-- Links that were drawn and that no shard has (any more). One that has them takes them from here.
CREATE UNLOGGED TABLE pairmill.vanished (
  hash bigint PRIMARY KEY
);

-- Shards of links that are in, each written in the transaction that brought its rows.
CREATE UNLOGGED TABLE pairmill.ingested (
  shard integer PRIMARY KEY,
  -- Over the digests of all shards up to this one: with another one before it, other rows of it are duplicates.
  chain text NOT NULL,
  rows bigint NOT NULL,
  -- Positions, from 0, of the rows that were dropped (duplicates, and URLs that are too long): a run that was killed after
  -- the commit and before its marker reports the same ones.
  dropped integer[] NOT NULL
);

-- Batches that were drawn; the number is that of the file in batches/.
CREATE UNLOGGED TABLE pairmill.batches (
  batch integer PRIMARY KEY,
  -- Links asked for.
  size integer NOT NULL,
  -- In order. What a lost file consisted of, and which batches hold a link that has vanished from links/.
  hashes bigint[] NOT NULL,
  -- Of the file in batches/, once that is known to be there; until then the rows are in batch_rows.
  digest text
);

-- Links of batches whose file is not known to be written: moved here by the statement that takes them out of links.
CREATE UNLOGGED TABLE pairmill.batch_rows (
  batch integer NOT NULL,
  LIKE pairmill.links
);
CREATE INDEX batch_rows_by_batch ON pairmill.batch_rows (batch, hash);

-- One row. live = rows in links; exact, as every statement that adds or takes rows changes it too. Room on the page lets
-- each update stay there.
CREATE UNLOGGED TABLE pairmill.staging (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  live bigint NOT NULL DEFAULT 0,
  -- Another one after a crash or a rebuild: who has brought the tables up to date must do so again.
  token uuid NOT NULL DEFAULT gen_random_uuid()
) WITH (fillfactor = 10);
