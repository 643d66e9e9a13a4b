// SPDX-License-Identifier: Apache-2.0
#include "crm/schema.h"

#include <iterator>
#include <span>

#include "contract/contract.h"
#include "contract/items.h"
#include "core/identity.h"
#include "crm/feed.h"

namespace welcome::crm {
namespace {

// {int} {serial} {text} {end} become what the database calls them.
// Times are RFC 3339 texts of one length, so they sort as text.
constexpr const char* kVersion1[] = {
    // One row per setting: tenant, controller, jurisdiction, storage_location, tombstone_key …
    "CREATE TABLE setting (name {text} PRIMARY KEY, value {text} NOT NULL){end}",
    // What the boxes are told: the newest value of every key of every collection.
    "CREATE TABLE feed (collection {text} PRIMARY KEY, epoch {text} NOT NULL, seq {int} NOT NULL, "
    "oldest {int} NOT NULL, digest {text} NOT NULL){end}",
    "CREATE TABLE item (collection {text} NOT NULL, key {text} NOT NULL, customer {text} NOT NULL, "
    "seq {int} NOT NULL, deleted {int} NOT NULL, value {text} NOT NULL, "
    "PRIMARY KEY (collection, key)){end}",
    "CREATE INDEX item_seq ON item (collection, seq)",
    "CREATE INDEX item_customer ON item (customer)",
    "CREATE TABLE customer (customer {text} PRIMARY KEY, app_id {text} NOT NULL UNIQUE, "
    "profile {text} NOT NULL, created_at {text} NOT NULL){end}",
    "CREATE TABLE identity (identity {text} PRIMARY KEY, customer {text} NOT NULL, "
    "value {text} NOT NULL){end}",
    "CREATE INDEX identity_customer ON identity (customer)",
    "CREATE TABLE tombstone (customer_hash {text} PRIMARY KEY, at {text} NOT NULL){end}",
    "CREATE TABLE box (store {text} NOT NULL, box {text} NOT NULL, state {text} NOT NULL, "
    "session {int} NOT NULL, version {text} NOT NULL, seen_at {text} NOT NULL, "
    "PRIMARY KEY (store, box)){end}",
    // How far each box has been told; a missing row means: nobody knows, ask.
    "CREATE TABLE told (store {text} NOT NULL, box {text} NOT NULL, collection {text} NOT NULL, "
    "epoch {text} NOT NULL, seq {int} NOT NULL, PRIMARY KEY (store, box, collection)){end}",
    // Every event of every box, once.
    "CREATE TABLE ledger (position {serial}, id {text} NOT NULL UNIQUE, store {text} NOT NULL, "
    "box {text} NOT NULL, type {text} NOT NULL, time {text} NOT NULL, customer {text} NOT NULL, "
    "data {text} NOT NULL, received_at {text} NOT NULL, handled {int} NOT NULL, "
    "note {text} NOT NULL){end}",
    "CREATE INDEX ledger_open ON ledger (position) WHERE handled = 0",
    "CREATE INDEX ledger_customer ON ledger (customer)",
    "CREATE TABLE request (position {serial}, id {text} NOT NULL, app_id {text} NOT NULL, "
    "kind {text} NOT NULL, body {text} NOT NULL, received_at {text} NOT NULL, "
    "handled {int} NOT NULL, note {text} NOT NULL, UNIQUE (app_id, id)){end}",
    "CREATE INDEX request_open ON request (position) WHERE handled = 0",
    // What has to leave, until the broker has it.
    "CREATE TABLE outbox (position {serial}, id {text} NOT NULL UNIQUE, topic {text} NOT NULL, "
    "payload {text} NOT NULL, retain {int} NOT NULL, expires_at {text}, "
    "customer {text} NOT NULL, leased_until {text}){end}",
    // What a box has to do, until it has answered.
    "CREATE TABLE command (id {text} NOT NULL, store {text} NOT NULL, box {text} NOT NULL, "
    "customer {text} NOT NULL, payload {text} NOT NULL, made_at {text} NOT NULL, "
    "expires_at {text}, sent_at {text}, PRIMARY KEY (id, store, box)){end}",
    "CREATE TABLE offer (decision {text} PRIMARY KEY, store {text} NOT NULL, "
    "customer {text} NOT NULL, campaign {text} NOT NULL, variant {text} NOT NULL, "
    "shown_at {text} NOT NULL, opened_at {text}, redeemed_at {text}, dismissed_at {text}, "
    "came_in_at {text}){end}",
    "CREATE INDEX offer_campaign ON offer (campaign)",
    "CREATE INDEX offer_customer ON offer (customer)",
    "CREATE TABLE survey_answer (id {text} PRIMARY KEY, customer {text} NOT NULL, "
    "kind {text} NOT NULL, campaign {text} NOT NULL, score {int} NOT NULL, at {text} NOT "
    "NULL){end}",
    // An erasure keeps the customer's id only while some box still has to be told it.
    "CREATE TABLE erasure (erasure {text} PRIMARY KEY, customer {text} NOT NULL, "
    "customer_hash {text} NOT NULL, asked_at {text} NOT NULL, done_at {text}){end}",
    "CREATE TABLE erasure_box (erasure {text} NOT NULL, store {text} NOT NULL, box {text} NOT "
    "NULL, "
    "done_at {text}, receipt {text}, PRIMARY KEY (erasure, store, box)){end}",
    "CREATE TABLE control (store {text} NOT NULL, function {text} NOT NULL, seq {int} NOT NULL, "
    "paused {int} NOT NULL, id {text} NOT NULL, at {text} NOT NULL, "
    "PRIMARY KEY (store, function)){end}",
    "CREATE TABLE signing_key (id {text} PRIMARY KEY, public_key {text} NOT NULL, "
    "seed {text} NOT NULL, made_at {text} NOT NULL, used_from {text}, retired_at {text}){end}",
};

constexpr const char* kVersion2[] = {
    // With which key a box signs. `other`: the one that it says instead, until somebody trusts it.
    "CREATE TABLE box_key (store {text} NOT NULL, box {text} NOT NULL, public_key {text} NOT NULL, "
    "trusted_at {text} NOT NULL, other {text}, other_at {text}, PRIMARY KEY (store, box)){end}",
    // Why the box's receipt does not count.
    "ALTER TABLE erasure_box ADD COLUMN refused {text}",
};

constexpr const char* kVersion3[] = {
    // Whose request it was: an app may get another app_id.
    "ALTER TABLE request ADD COLUMN customer {text} NOT NULL DEFAULT ''",
    "UPDATE request SET customer = COALESCE((SELECT customer.customer FROM customer "
    "WHERE customer.app_id = request.app_id), '')",
    "DELETE FROM request WHERE customer = '' AND handled = 1",
    // Steps of a consent's history that are not sent any more.
    "CREATE TABLE consent_past (record_id {text} NOT NULL, at {text} NOT NULL, state {text} NOT "
    "NULL, how {text} NOT NULL, customer {text} NOT NULL, PRIMARY KEY (record_id, at, state)){end}",
    // The newest withdrawal of somebody who had withdrawn already.
    "CREATE TABLE withdrawn_again (record_id {text} PRIMARY KEY, customer {text} NOT NULL, "
    "at {text} NOT NULL, how {text} NOT NULL){end}",
    // What a box could not read, by its own word.
    "CREATE TABLE set_aside (store {text} NOT NULL, box {text} NOT NULL, collection {text} NOT "
    "NULL, key {text} NOT NULL, customer {text} NOT NULL, seq {int} NOT NULL, reason {text} NOT "
    "NULL, at {text} NOT NULL, PRIMARY KEY (store, box, collection, key)){end}",
    // How far each box is, by its own word.
    "CREATE TABLE confirmed (store {text} NOT NULL, box {text} NOT NULL, collection {text} NOT "
    "NULL, epoch {text} NOT NULL, seq {int} NOT NULL, PRIMARY KEY (store, box, collection)){end}",
    "ALTER TABLE box ADD COLUMN control {int} NOT NULL DEFAULT 0",
    // What each running `serve` has counted.
    "CREATE TABLE serving (client_id {text} PRIMARY KEY, started_at {text} NOT NULL, "
    "at {text} NOT NULL, link {text} NOT NULL, counters {text} NOT NULL){end}",
    // One index for each question that is asked of a table that grows.
    "CREATE INDEX request_customer ON request (customer)",
    "CREATE INDEX consent_past_customer ON consent_past (customer)",
    "CREATE INDEX withdrawn_again_customer ON withdrawn_again (customer)",
    "CREATE INDEX set_aside_customer ON set_aside (customer)",
    "DROP INDEX item_customer",
    "CREATE INDEX item_customer ON item (collection, customer, key)",
    "CREATE INDEX outbox_customer ON outbox (customer)",
    "CREATE INDEX command_box ON command (store, box)",
    "CREATE INDEX command_customer ON command (customer)",
    "CREATE INDEX command_expires ON command (expires_at)",
    "CREATE INDEX survey_answer_customer ON survey_answer (customer)",
    "CREATE INDEX erasure_customer ON erasure (customer_hash)",
    "CREATE INDEX erasure_box_refused ON erasure_box (store, box) WHERE refused IS NOT NULL",
    "CREATE INDEX ledger_type ON ledger (type, time)",
    "CREATE INDEX ledger_received ON ledger (received_at, position)",
    "CREATE INDEX ledger_receipt ON ledger (store, box) "
    "WHERE type = 'com.welcomed.erasure.receipt.v1'",
};

constexpr const char* kVersion4[] = {
    // device_of() the identity; nothing: what is there cannot be read.
    "ALTER TABLE identity ADD COLUMN device {text} NOT NULL DEFAULT ''",
    "CREATE INDEX identity_device ON identity (device)",
    // Why the broker never takes this message; what it said is not kept.
    "ALTER TABLE outbox ADD COLUMN refused {text}",
    "CREATE INDEX outbox_refused ON outbox (position) WHERE refused IS NOT NULL",
};

constexpr const char* kVersion5[] = {
    // When a consent that has an end ends, and whether that is over.
    ("CREATE TABLE consent_end (record_id {text} PRIMARY KEY, customer {text} NOT NULL, "
     "ends_at {text} NOT NULL, over {int} NOT NULL){end}"),
    "CREATE INDEX consent_end_next ON consent_end (over, ends_at)",
    "CREATE INDEX consent_end_customer ON consent_end (customer)",
    // What is old enough to forget who it was.
    "CREATE INDEX ledger_old ON ledger (received_at) WHERE customer <> '' AND handled = 1",
    "CREATE INDEX offer_old ON offer (shown_at) WHERE customer <> ''",
    "CREATE INDEX survey_answer_old ON survey_answer (at) WHERE customer <> ''",
    "CREATE INDEX request_old ON request (received_at) WHERE handled = 1",
};

constexpr const char* kVersion6[] = {
    // By whom and when a box was admitted. Those that were here before count as admitted; nobody
    // knows when.
    "ALTER TABLE box ADD COLUMN admitted_at {text} NOT NULL DEFAULT ''",
    "ALTER TABLE box ADD COLUMN admitted_by {text} NOT NULL DEFAULT ''",
    // A box that was taken out while the erasure was open.
    "ALTER TABLE erasure_box ADD COLUMN revoked_at {text}",
    "CREATE INDEX erasure_box_open ON erasure_box (store, box) "
    "WHERE done_at IS NULL AND revoked_at IS NULL",
    // Boxes that nobody admitted, as many as crm/boxes.h allows.
    "CREATE TABLE stranger (store {text} NOT NULL, box {text} NOT NULL, since {text} NOT NULL, "
    "last_at {text} NOT NULL, tries {int} NOT NULL, tried {text} NOT NULL, "
    "PRIMARY KEY (store, box)){end}",
    // Whose a visit is, and where.
    "CREATE TABLE visit (visit {text} PRIMARY KEY, store {text} NOT NULL, customer {text} NOT "
    "NULL, "
    "last_at {text} NOT NULL){end}",
    "CREATE INDEX visit_customer ON visit (customer)",
    "CREATE INDEX visit_last ON visit (last_at)",
    // Which purpose a message needs at the moment it leaves; empty: none.
    "ALTER TABLE outbox ADD COLUMN purpose {text} NOT NULL DEFAULT ''",
    // What a box brought in the last hour.
    "CREATE INDEX ledger_consents ON ledger (store, box, received_at) "
    "WHERE type = 'com.welcomed.consent.changed.v1'",
};

constexpr const char* kVersion7[] = {
    // Which profiles a box has, where it has those alone that it has seen, and the day on which it
    // last said so.
    "CREATE TABLE sight (store {text} NOT NULL, box {text} NOT NULL, customer {text} NOT NULL, "
    "seen_on {text} NOT NULL, PRIMARY KEY (store, box, customer)){end}",
    "CREATE INDEX sight_customer ON sight (customer)",
    "CREATE INDEX sight_old ON sight (seen_on)",
    // What a box asked for in the last hour.
    "CREATE INDEX ledger_wanted ON ledger (store, box, received_at) "
    "WHERE type = 'com.welcomed.profile.wanted.v1'",
    // Where its profiles stand: the number of the last change that was one for it.
    "CREATE TABLE sight_box (store {text} NOT NULL, box {text} NOT NULL, seq {int} NOT NULL, "
    "digest {text} NOT NULL, PRIMARY KEY (store, box)){end}",
    // Those that it has to delete, until it says that it has.
    "CREATE TABLE sight_gone (store {text} NOT NULL, box {text} NOT NULL, customer {text} NOT "
    "NULL, seq {int} NOT NULL, PRIMARY KEY (store, box, customer)){end}",
    "CREATE INDEX sight_gone_customer ON sight_gone (customer)",
};

constexpr const char* kVersion8[] = {
    // Where each box's store was by its own signed word, and what it was asked last. `back_at`: it
    // came back older than that; `said` is then what it says instead (crm/trails.h).
    "CREATE TABLE box_trail (store {text} NOT NULL, box {text} NOT NULL, public_key {text} NOT "
    "NULL, session {int} NOT NULL, run {text} NOT NULL, seq {int} NOT NULL, hash {text} NOT NULL, "
    "heard_at {text} NOT NULL, ask {text} NOT NULL, ask_seq {int} NOT NULL, ask_hash {text} NOT "
    "NULL, asked_at {text} NOT NULL, back_at {text}, back_why {text} NOT NULL, said {text} NOT "
    "NULL, PRIMARY KEY (store, box)){end}",
    // The key before, if it vouched for the one that is trusted; what it signed counts until then.
    "ALTER TABLE box_key ADD COLUMN former {text}",
    "ALTER TABLE box_key ADD COLUMN former_until {text}",
    // Which of our keys the box believes, by its own word (empty: it does not say), and the last
    // word to it of a key that is retired: which one comes after it.
    "ALTER TABLE box ADD COLUMN believes {text} NOT NULL DEFAULT ''",
    "ALTER TABLE box ADD COLUMN last_word {text} NOT NULL DEFAULT ''",
};

constexpr const char* kVersion9[] = {
    // One-time links to the customer's page, by the hash of their token (crm/token.h).
    "CREATE TABLE door_link (token_hash {text} PRIMARY KEY, customer {text} NOT NULL, "
    "made_at {text} NOT NULL, expires_at {text} NOT NULL, used_at {text}){end}",
    "CREATE INDEX door_link_customer ON door_link (customer)",
    "CREATE INDEX door_link_old ON door_link (expires_at)",
    // Devices that opened one. `linked_at`: the last time that they opened one, or used a passkey.
    "CREATE TABLE door_session (token_hash {text} PRIMARY KEY, id {text} NOT NULL UNIQUE, "
    "customer {text} NOT NULL, device {text} NOT NULL, made_at {text} NOT NULL, "
    "seen_at {text} NOT NULL, linked_at {text} NOT NULL, expires_at {text} NOT NULL){end}",
    "CREATE INDEX door_session_customer ON door_session (customer, seen_at)",
    "CREATE INDEX door_session_old ON door_session (expires_at)",
    // What somebody who was forgotten may still ask: how far that is. Says nothing of who it was.
    "CREATE TABLE erasure_token (token_hash {text} PRIMARY KEY, erasure {text} NOT NULL){end}",
    // What a customer's page shows until it is over: offers and questions.
    "CREATE TABLE app_message (id {text} PRIMARY KEY, customer {text} NOT NULL, "
    "kind {text} NOT NULL, decision {text} NOT NULL, body {text} NOT NULL, "
    "purpose {text} NOT NULL, at {text} NOT NULL, expires_at {text} NOT NULL){end}",
    "CREATE INDEX app_message_customer ON app_message (customer, at)",
    "CREATE INDEX app_message_old ON app_message (expires_at)",
    // What has changed for whom, for pages that are open: a customer or an erasure. Empty: whoever.
    "CREATE TABLE news (position {serial}, whose {text} NOT NULL, what {text} NOT NULL, "
    "at {text} NOT NULL){end}",
    "CREATE INDEX news_whose ON news (whose)",
    "CREATE INDEX news_old ON news (at)",
};

constexpr const char* kVersion10[] = {
    // In which region a store is, and in which customers and what is about them are at home: names
    // in the order of the alphabet with commas between them, or nothing, which is everywhere.
    "CREATE TABLE store_region (store {text} PRIMARY KEY, region {text} NOT NULL){end}",
    "ALTER TABLE customer ADD COLUMN home {text} NOT NULL DEFAULT ''",
    "ALTER TABLE item ADD COLUMN home {text} NOT NULL DEFAULT ''",
    "CREATE INDEX item_home ON item (collection, home, seq)",
    // The regions of each home; those who are everywhere have no region.
    "CREATE TABLE home (region {text} NOT NULL, home {text} NOT NULL, "
    "PRIMARY KEY (region, home)){end}",
    "INSERT INTO home (region, home) VALUES ('', '')",
    // Where parts of a collection stand: those of each home, and those of a box, STORE/BOX.
    "CREATE TABLE place (collection {text} NOT NULL, part {text} NOT NULL, seq {int} NOT NULL, "
    "oldest {int} NOT NULL, digest {text} NOT NULL, PRIMARY KEY (collection, part)){end}",
    "INSERT INTO place (collection, part, seq, oldest, digest) SELECT collection, '', seq, oldest, "
    "digest FROM feed WHERE collection IN ('consents', 'identities', 'profiles')",
    "INSERT INTO place (collection, part, seq, oldest, digest) SELECT 'profiles', "
    "sight_box.store || '/' || sight_box.box, sight_box.seq, feed.oldest, sight_box.digest "
    "FROM sight_box JOIN feed ON feed.collection = 'profiles'",
    // What has to be deleted there, until it is.
    "CREATE TABLE gone (collection {text} NOT NULL, part {text} NOT NULL, key {text} NOT NULL, "
    "customer {text} NOT NULL, seq {int} NOT NULL, PRIMARY KEY (collection, part, key)){end}",
    "CREATE INDEX gone_customer ON gone (customer)",
    "INSERT INTO gone (collection, part, key, customer, seq) SELECT 'profiles', "
    "store || '/' || box, customer, customer, seq FROM sight_gone",
    "DROP TABLE sight_box",
    "DROP TABLE sight_gone",
    // In which region a box knows itself to be, by its own word.
    "ALTER TABLE box ADD COLUMN region {text} NOT NULL DEFAULT ''",
};

constexpr const char* kVersion11[] = {
    // Who works where. `stores`: names in the order of the alphabet with commas between them, or
    // nothing, which is all; `pin`: argon2id of it, or nothing.
    "CREATE TABLE staff (staff {text} PRIMARY KEY, name {text} NOT NULL, roles {text} NOT NULL, "
    "stores {text} NOT NULL, pin {text} NOT NULL, changed_at {text} NOT NULL){end}",
    // What a desk wrote down and nobody has confirmed: a question on the customer's page. `pledge`:
    // what the grants of one have in common, by the box.
    "CREATE TABLE pending_consent (event {text} PRIMARY KEY, question {text} NOT NULL, "
    "pledge {text} NOT NULL, store {text} NOT NULL, box {text} NOT NULL, customer {text} NOT NULL, "
    "purpose {text} NOT NULL, at {text} NOT NULL, record_id {text} NOT NULL, staff {text} NOT "
    "NULL, notice_id {text} NOT NULL, notice_version {text} NOT NULL, notice_language {text} NOT "
    "NULL, expires_at {text} NOT NULL){end}",
    "CREATE INDEX pending_consent_customer ON pending_consent (customer, question)",
    "CREATE INDEX pending_consent_over ON pending_consent (expires_at)",
    // A code that confirms one pledge (`used_by`), as its keyed hash; wrong tries, and by which
    // pledge the last was.
    "CREATE TABLE desk_code (customer {text} PRIMARY KEY, code_hash {text} NOT NULL, tries {int} "
    "NOT NULL, tried {text} NOT NULL, used_by {text} NOT NULL, expires_at {text} NOT NULL){end}",
    "CREATE INDEX desk_code_over ON desk_code (expires_at)",
    // How a step of a record was confirmed as the customer's own: phone, code, witness.
    "CREATE TABLE desk_confirmed (record_id {text} NOT NULL, at {text} NOT NULL, customer {text} "
    "NOT NULL, how {text} NOT NULL, confirmed_at {text} NOT NULL, "
    "PRIMARY KEY (record_id, at)){end}",
    "CREATE INDEX desk_confirmed_customer ON desk_confirmed (customer)",
};

constexpr const char* kVersion12[] = {
    // What waited for the broker: controls, which stand in their own table, and what versions
    // before had for customers' apps, which have no topic any more.
    "DROP TABLE outbox",
};

constexpr const char* kVersion13[] = {
    // What a customer's authenticators know them by: random; empty until one is asked for.
    "ALTER TABLE customer ADD COLUMN handle {text} NOT NULL DEFAULT ''",
    // Passkeys, by the id that a browser calls them; `key` in the form of COSE; both in base64url.
    "CREATE TABLE passkey (credential {text} PRIMARY KEY, id {text} NOT NULL UNIQUE, "
    "customer {text} NOT NULL, key {text} NOT NULL, counter {int} NOT NULL, name {text} NOT NULL, "
    "made_at {text} NOT NULL, used_at {text}){end}",
    "CREATE INDEX passkey_customer ON passkey (customer, made_at)",
    // What a passkey has to answer, by its hash; once. `session`: of whom, by its hash; empty: of
    // somebody who is not signed in.
    "CREATE TABLE door_challenge (challenge_hash {text} PRIMARY KEY, session {text} NOT NULL, "
    "what {text} NOT NULL, expires_at {text} NOT NULL){end}",
    "CREATE INDEX door_challenge_session ON door_challenge (session)",
    "CREATE INDEX door_challenge_old ON door_challenge (expires_at)",
};

constexpr const char* kVersion14[] = {
    "ALTER TABLE schema_version ADD COLUMN oldest_reader {int} NOT NULL DEFAULT 0",
    // How each box is, as it said last; `since` its lamp was that one; `place`: in the box's order.
    "CREATE TABLE box_light (store {text} NOT NULL, box {text} NOT NULL, light {text} NOT NULL, "
    "lamp {text} NOT NULL, what {text} NOT NULL, since {text} NOT NULL, "
    "place {int} NOT NULL, PRIMARY KEY (store, box, light)){end}",
    // The status of a box that was asked for it; empty until it has answered.
    "CREATE TABLE diagnosis (store {text} NOT NULL, box {text} NOT NULL, question {text} NOT NULL, "
    "body {text} NOT NULL, PRIMARY KEY (store, box)){end}",
};

constexpr const char* kVersion15[] = {
    // What a box's technician was given a code for (provision/invitation.h): sealed, under a name
    // that nobody can answer who has not the code. `box_key`: of the box that has it.
    "CREATE TABLE invitation (store {text} NOT NULL, box {text} NOT NULL, name {text} NOT NULL "
    "UNIQUE, sealed {text} NOT NULL, made_at {text} NOT NULL, expires_at {text} NOT NULL, "
    "used_at {text}, box_key {text}, refused {int} NOT NULL, PRIMARY KEY (store, box)){end}",
};

constexpr const char* kVersion16[] = {
    // Boxes that said, signed with the key that was trusted, that they destroy all that they hold.
    "CREATE TABLE retired (store {text} NOT NULL, box {text} NOT NULL, retired_at {text} NOT NULL, "
    "public_key {text} NOT NULL, proof {text} NOT NULL, PRIMARY KEY (store, box)){end}",
};

constexpr const char* kVersion17[] = {
    // A complaint is answered by a person, who says so.
    "ALTER TABLE request ADD COLUMN answered_at {text}",
    "CREATE INDEX request_complaint ON request (kind, position) WHERE kind = 'complaint'",
};

constexpr const char* kVersion18[] = {
    // Devices that want to be told while their page is closed, by their session; where, and with
    // which key and secret of the browser (base64url).
    "CREATE TABLE push_device (session {text} PRIMARY KEY, customer {text} NOT NULL, "
    "endpoint {text} NOT NULL UNIQUE, point {text} NOT NULL, secret {text} NOT NULL, "
    "language {text} NOT NULL, shows {int} NOT NULL, made_at {text} NOT NULL){end}",
    "CREATE INDEX push_device_customer ON push_device (customer, made_at)",
    // What each of them is still to be told.
    "CREATE TABLE push_due (message {text} NOT NULL, session {text} NOT NULL, "
    "next_at {text} NOT NULL, tries {int} NOT NULL, PRIMARY KEY (message, session)){end}",
    "CREATE INDEX push_due_next ON push_due (next_at)",
    "CREATE INDEX push_due_session ON push_due (session)",
};

constexpr const char* kVersion19[] = {
    // Images that are handed out; how each is; and which box is to run which (crm/releases.h).
    // `word` numbers what the box was to be told last, `heard` is what it says of it.
    "CREATE TABLE image_release (digest {text} PRIMARY KEY, version {text} NOT NULL UNIQUE, "
    "size {int} NOT NULL, added_at {text} NOT NULL){end}",
    "CREATE TABLE rollout (digest {text} PRIMARY KEY, state {text} NOT NULL, share {int} NOT NULL, "
    "at_once {int} NOT NULL, may_be_lower {int} NOT NULL, door {text} NOT NULL, why {text} NOT "
    "NULL, begun_at {text} NOT NULL, changed_at {text} NOT NULL){end}",
    "CREATE TABLE box_release (store {text} NOT NULL, box {text} NOT NULL, digest {text} NOT NULL, "
    "word {int} NOT NULL, heard {int} NOT NULL, step {text} NOT NULL, version {text} NOT NULL, "
    "why {text} NOT NULL, said_at {text} NOT NULL, PRIMARY KEY (store, box)){end}",
};

constexpr const char* kVersion20[] = {
    // Passwords that boxes are asked to make anew (crm/renewals.h): the command, the salted hash
    // that came back, and when it was put into the broker's file.
    "CREATE TABLE renewal (store {text} NOT NULL, box {text} NOT NULL, question {text} NOT NULL, "
    "hash {text} NOT NULL, asked_at {text} NOT NULL, put_at {text}, PRIMARY KEY (store, "
    "box)){end}",
};

// A database, new or old, takes every step that it has not taken. From version 14 on a step only
// adds tables, and columns that have a default or may be NULL: so the version before goes on
// working when an update is rolled back, or while instances are updated one by one. What is no
// longer used goes one version after the last that used it, and kOldestReader moves on.
constexpr std::span<const char* const> kSteps[] = {
    kVersion1,  kVersion2,  kVersion3,  kVersion4,  kVersion5,  kVersion6,  kVersion7,
    kVersion8,  kVersion9,  kVersion10, kVersion11, kVersion12, kVersion13, kVersion14,
    kVersion15, kVersion16, kVersion17, kVersion18, kVersion19, kVersion20};
static_assert(std::size(kSteps) == kSchemaVersion);

std::string spell(std::string sql, const Database::Types& types) {
  const std::pair<const char*, const std::string*> words[] = {{"{int}", &types.integer},
                                                              {"{serial}", &types.serial},
                                                              {"{text}", &types.text},
                                                              {"{end}", &types.table_end}};
  for (const auto& [word, spelling] : words) {
    for (auto at = sql.find(word); at != std::string::npos; at = sql.find(word)) {
      sql.replace(at, std::string_view(word).size(), *spelling);
    }
  }
  return sql;
}

// Asks for no lock, so that a command does not wait for a busy `serve` before it has begun.
std::int64_t version_of(Database& db) {
  try {
    const Rows rows = db.query("SELECT version FROM schema_version");
    return rows.empty() ? 0 : rows.front().integer(0);
  } catch (const DatabaseError&) {
    return 0;  // no such table yet; anything else shows below
  }
}

// Of a database that is beyond this version.
void check_reader(Database& db) {
  if (db.query("SELECT oldest_reader FROM schema_version").front().integer(0) > kSchemaVersion) {
    throw DatabaseError(
        "the database was made by a newer welcome-crm, and this one cannot work with it; install "
        "that version again");
  }
}

// What came before version 4.
void name_devices(Database& db) {
  for (const Row& row : db.query("SELECT identity, value FROM identity")) {
    const auto item = contract::decode_item(contract::Collection::identities, row.text(1));
    if (!item) continue;
    db.execute("UPDATE identity SET device = $1 WHERE identity = $2",
               {device_of(std::get<IdentityItem>(*item)), row.text(0)});
  }
}

// What came before version 5. Whether it is over, `serve` sees.
void note_ends(Database& db) {
  for (const Row& row :
       db.query("SELECT key, customer, value FROM item WHERE collection = 'consents' "
                "AND deleted = 0")) {
    const auto item = contract::decode_item(contract::Collection::consents, row.text(2));
    if (!item) continue;
    const auto& end = std::get<ConsentRecord>(*item).expires_at;
    if (!end) continue;
    db.execute(
        "INSERT INTO consent_end (record_id, customer, ends_at, over) VALUES ($1, $2, $3, 0)",
        {row.text(0), row.text(1), contract::to_rfc3339(*end)});
  }
}

}  // namespace

void migrate(Database& db) { migrate(db, kSchemaVersion); }

void migrate(Database& db, std::int64_t to) {
  const std::int64_t found = version_of(db);
  if (found == to) return;
  if (found > kSchemaVersion) return check_reader(db);
  const Database::Types types = db.types();
  Transaction transaction(db);
  db.define(
      spell("CREATE TABLE IF NOT EXISTS schema_version (version {int} NOT NULL){end}", types));
  const Rows rows = db.query("SELECT version FROM schema_version");
  const std::int64_t version = rows.empty() ? 0 : rows.front().integer(0);
  if (version > kSchemaVersion) return check_reader(db);
  for (auto step = static_cast<std::size_t>(version); step < static_cast<std::size_t>(to); ++step) {
    for (const char* sql : kSteps[step]) db.define(spell(sql, types));
  }
  if (version < 4) name_devices(db);
  if (version < 5) note_ends(db);
  if (version < 11) Feed(db).create();
  db.execute("DELETE FROM schema_version");
  db.execute("INSERT INTO schema_version (version) VALUES ($1)", {to});
  if (to >= 14) db.execute("UPDATE schema_version SET oldest_reader = $1", {kOldestReader});
  transaction.commit();
}

}  // namespace welcome::crm
