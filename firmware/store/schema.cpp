// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/schema.h"

namespace welcome::store {

namespace {

// `customer` is everywhere a row of the table customer, which knows only the keyed hash of the
// CRM's id; NULL = about nobody. `sealed` is readable with that customer's key only, or with the
// box's data key where there is no customer. Times are milliseconds since 1970, UTC.
constexpr const char* kSchema = R"sql(
CREATE TABLE meta (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE counter (
  name TEXT NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE control (
  scope TEXT NOT NULL,
  function TEXT NOT NULL,
  seq INTEGER NOT NULL,
  paused INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (scope, function)
) STRICT, WITHOUT ROWID;

-- One key per customer, wrapped by the box key: destroying it makes all her rows unreadable.
CREATE TABLE customer (
  id INTEGER PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,
  wrapped BLOB NOT NULL
) STRICT;

CREATE TABLE tombstone (
  hash BLOB NOT NULL PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The newest withdrawal of each person and purpose: an old grant that comes again finds it here,
-- also when the record is gone. Keyed hashes, as in tombstone.
CREATE TABLE withdrawal (
  hash BLOB NOT NULL,
  purpose INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (hash, purpose)
) STRICT, WITHOUT ROWID;

-- A part is one collection's items.
CREATE TABLE feed (
  collection INTEGER NOT NULL PRIMARY KEY,
  part INTEGER NOT NULL,
  epoch TEXT NOT NULL,
  seq INTEGER NOT NULL,
  digest BLOB NOT NULL
) STRICT;

-- sealed NULL: withheld (poisoned, or of a forgotten person); counted by the digest, kept nowhere.
CREATE TABLE feed_item (
  id INTEGER PRIMARY KEY,
  part INTEGER NOT NULL,
  key_hash BLOB NOT NULL,
  customer INTEGER REFERENCES customer (id),
  seq INTEGER NOT NULL,
  sealed BLOB
) STRICT;
-- With the row number at its end: reads a part in the order of the file.
CREATE INDEX feed_item_part ON feed_item (part);
CREATE INDEX feed_item_customer ON feed_item (customer) WHERE customer IS NOT NULL;

-- Which item a name is, but for those that wait to be written here (names.h).
CREATE TABLE feed_name (
  part INTEGER NOT NULL,
  key_hash BLOB NOT NULL,
  item INTEGER NOT NULL,
  PRIMARY KEY (part, key_hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE feed_brief (
  part INTEGER NOT NULL,
  item INTEGER NOT NULL,
  customer INTEGER,
  seq INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  PRIMARY KEY (part, item)
) STRICT, WITHOUT ROWID;

CREATE TABLE visit (
  id TEXT NOT NULL UNIQUE,
  customer INTEGER NOT NULL REFERENCES customer (id),
  started INTEGER NOT NULL,
  ended INTEGER,
  sealed BLOB NOT NULL
) STRICT;
CREATE INDEX visit_customer ON visit (customer);
CREATE INDEX visit_started ON visit (started);

CREATE TABLE decision (
  id TEXT NOT NULL UNIQUE,
  visit TEXT NOT NULL,
  customer INTEGER NOT NULL REFERENCES customer (id),
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  reason TEXT NOT NULL,
  sealed BLOB NOT NULL
) STRICT;
CREATE INDEX decision_customer ON decision (customer);
CREATE INDEX decision_visit ON decision (visit);
CREATE INDEX decision_at ON decision (at);

-- What the pipeline restarts from. `key` is hashed: it may be a customer's id.
CREATE TABLE state (
  kind INTEGER NOT NULL,
  key_hash BLOB NOT NULL,
  customer INTEGER REFERENCES customer (id),
  changed INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  PRIMARY KEY (kind, key_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX state_customer ON state (customer) WHERE customer IS NOT NULL;

CREATE TABLE template (
  id TEXT NOT NULL UNIQUE,
  customer INTEGER NOT NULL REFERENCES customer (id),
  model TEXT NOT NULL,
  created INTEGER NOT NULL,
  sealed BLOB NOT NULL
) STRICT;
CREATE INDEX template_customer ON template (customer);

CREATE TABLE desk_consent (
  id TEXT NOT NULL UNIQUE,
  customer INTEGER NOT NULL REFERENCES customer (id),
  at INTEGER NOT NULL,
  sealed BLOB NOT NULL
) STRICT;
CREATE INDEX desk_consent_customer ON desk_consent (customer);

CREATE TABLE outbox (
  row INTEGER PRIMARY KEY,
  link INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  customer INTEGER REFERENCES customer (id),
  kind TEXT NOT NULL,
  ref TEXT NOT NULL,
  created INTEGER NOT NULL,
  not_before INTEGER,
  expires INTEGER,
  sealed BLOB NOT NULL
) STRICT;
CREATE INDEX outbox_next ON outbox (link, priority, row);
CREATE INDEX outbox_customer ON outbox (customer) WHERE customer IS NOT NULL;
CREATE INDEX outbox_expires ON outbox (expires) WHERE expires IS NOT NULL;
CREATE INDEX outbox_ref ON outbox (ref) WHERE ref <> '';

-- state: 0 key destroyed, 1 rows gone, 2 receipt made, 3 reported. A receipt without bytes_gone is
-- made again when they are.
-- sealed: whom it was about, for the report; gone when the last one is in the outbox.
CREATE TABLE erasure (
  request TEXT NOT NULL PRIMARY KEY,
  hash BLOB NOT NULL,
  sealed BLOB,
  at INTEGER NOT NULL,
  state INTEGER NOT NULL,
  counts TEXT NOT NULL,
  bytes_gone INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  actor TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  hash BLOB NOT NULL,
  signature BLOB NOT NULL
) STRICT;

-- The last entry that retention removed: where the chain now begins.
CREATE TABLE audit_anchor (
  seq INTEGER PRIMARY KEY,
  hash BLOB NOT NULL
) STRICT;

-- After the box key was changed: what customers are hashed with, and the keys before (rekey.h).
CREATE TABLE kept (
  name TEXT NOT NULL PRIMARY KEY,
  sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
)sql";

}  // namespace

const char* schema() { return kSchema; }

std::span<const char* const> migrations() {
  static constexpr const char* kSteps[] = {
      // 1 → 2
      R"sql(
CREATE TABLE withdrawal (
  hash BLOB NOT NULL,
  purpose INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (hash, purpose)
) STRICT, WITHOUT ROWID;
)sql",
      // 2 → 3: a snapshot no longer stands beside what it replaces.
      R"sql(
DELETE FROM feed_brief WHERE part NOT IN (SELECT part FROM feed);
DELETE FROM feed_item WHERE part NOT IN (SELECT part FROM feed);
DROP TABLE feed_staging;
DROP TABLE feed_dead;
)sql",
      // 3 → 4: a receipt is signed by whoever sends it.
      R"sql(
CREATE TABLE erasure_before AS SELECT request, hash, sealed, at, state, counts, bytes_gone FROM erasure;
DROP TABLE erasure;
CREATE TABLE erasure (
  request TEXT NOT NULL PRIMARY KEY,
  hash BLOB NOT NULL,
  sealed BLOB,
  at INTEGER NOT NULL,
  state INTEGER NOT NULL,
  counts TEXT NOT NULL,
  bytes_gone INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO erasure SELECT * FROM erasure_before;
DROP TABLE erasure_before;
)sql",
      // 4 → 5: the box key may be changed.
      R"sql(
CREATE TABLE kept (
  name TEXT NOT NULL PRIMARY KEY,
  sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
)sql",
      // 5 → 6: names of items may be written later than the items.
      R"sql(
CREATE TABLE feed_name (
  part INTEGER NOT NULL,
  key_hash BLOB NOT NULL,
  item INTEGER NOT NULL,
  PRIMARY KEY (part, key_hash)
) STRICT, WITHOUT ROWID;
INSERT INTO feed_name SELECT part, key_hash, id FROM feed_item ORDER BY part, key_hash;
DROP INDEX feed_item_key;
)sql",
  };
  return kSteps;
}

}  // namespace welcome::store
