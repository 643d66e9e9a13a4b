#include "crm/crm.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <sodium.h>

#include "contract/items.h"
#include "core/consent.h"
#include "core/hex.h"

namespace welcome::crm {
namespace {

constexpr int kMaxHistory = 1000;

// What each purpose uses, in the words of the consent record.
json data_categories(Purpose purpose) {
  switch (purpose) {
    case Purpose::proximity_offers:
      return {"device_identifier", "presence"};
    case Purpose::face_recognition:
      return {"face_template"};
    case Purpose::preference_prompts:
      return {"name", "preferences", "conversation_notes"};
    case Purpose::personalised_offers:
      return {"name", "loyalty", "preferences"};
    case Purpose::visit_analytics:
      return {"visits"};
  }
  return json::array();
}

std::string random_hex(std::size_t bytes) {
  std::vector<std::uint8_t> raw(bytes);
  randombytes_buf(raw.data(), raw.size());
  return to_hex(raw);
}

void set_setting(Database& db, const std::string& name, const std::string& value) {
  db.execute(
      "INSERT INTO setting (name, value) VALUES ($1, $2) "
      "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      {name, value});
}

json parse(const std::string& text) { return json::parse(text); }

Result<void> check(Collection collection, const json& item) {
  return contract::validate("item." + std::string(contract::to_string(collection)), item.dump());
}

// Old news never replaces newer.
bool newer(const json& holder, const char* member, WallTime at) {
  const auto found = holder.find(member);
  if (found == holder.end() || !found->is_string()) return true;
  const auto time = contract::from_rfc3339(found->get<std::string>());
  return !time || at >= *time;
}

}  // namespace

bool is_given(const json& record, WallTime now) {
  const auto decoded = contract::decode_item(Collection::consents, record.dump());
  if (!decoded) return false;
  const ConsentStanding result = standing(std::get<ConsentRecord>(*decoded));
  return result.given() && (!result.expires_at || now < *result.expires_at);
}

// ---- set-up ----

Crm::Crm(Database& db) : db_(db), feed_(db) {
  std::map<std::string, std::string> values;
  for (const Row& row : db.query("SELECT name, value FROM setting")) {
    values[row.text(0)] = row.text(1);
  }
  if (!values.contains("tenant")) {
    throw DatabaseError("the database is empty: run `welcome-crm init` first");
  }
  settings_.tenant = values["tenant"];
  settings_.controller = values["controller"];
  settings_.jurisdiction = values["jurisdiction"];
  settings_.storage_location = values["storage_location"];
  settings_.retention_days = std::stoll(values["retention_days"]);
  settings_.notice = {values["notice_id"], values["notice_version"], values["notice_language"]};
  tombstone_key_ = values["tombstone_key"];
}

void Crm::init(Database& db, const Settings& settings) {
  set_setting(db, "tenant", settings.tenant);
  set_setting(db, "controller", settings.controller);
  set_setting(db, "jurisdiction", settings.jurisdiction);
  set_setting(db, "storage_location", settings.storage_location);
  set_setting(db, "retention_days", std::to_string(settings.retention_days));
  set_setting(db, "notice_id", settings.notice.id);
  set_setting(db, "notice_version", settings.notice.version);
  set_setting(db, "notice_language", settings.notice.language);
  db.execute(
      "INSERT INTO setting (name, value) VALUES ('tombstone_key', $1) ON CONFLICT DO NOTHING",
      {random_hex(crypto_generichash_KEYBYTES)});
  Feed(db).create();
}

// ---- records ----

std::string Crm::hash(const std::string& customer) const {
  std::array<unsigned char, 32> out{};
  crypto_generichash(out.data(), out.size(),
                     reinterpret_cast<const unsigned char*>(customer.data()), customer.size(),
                     reinterpret_cast<const unsigned char*>(tombstone_key_.data()),
                     std::min<std::size_t>(tombstone_key_.size(), crypto_generichash_KEYBYTES_MAX));
  return to_hex(out);
}

bool Crm::was_erased(const std::string& customer) {
  return !db_.query("SELECT 1 FROM tombstone WHERE customer_hash = $1", {hash(customer)}).empty();
}

Result<void> Crm::must_exist(const std::string& customer) {
  if (!app_of(customer)) return fail(ErrorCode::not_found, "there is no such customer");
  return {};
}

Result<void> Crm::put_customer(const json& profile, const std::string& app_id, WallTime now) {
  if (auto ok = check(Collection::profiles, profile); !ok) return ok;
  const std::string customer = profile.at("customer");
  if (was_erased(customer)) {
    return fail(ErrorCode::refused, "this customer was erased; a new customer needs a new id");
  }
  const std::optional<std::string> old_app = app_of(customer);
  const std::string app = !app_id.empty() ? app_id : old_app.value_or(random_hex(8));
  if (!contract::valid_level(app)) return fail(ErrorCode::malformed, "app_id cannot be in a topic");
  if (const auto owner = customer_of(app); owner && *owner != customer) {
    return fail(ErrorCode::refused, "this app_id belongs to another customer");
  }
  db_.execute(
      "INSERT INTO customer (customer, app_id, profile, created_at) VALUES ($1, $2, $3, $4) "
      "ON CONFLICT (customer) DO UPDATE SET app_id = excluded.app_id, profile = excluded.profile",
      {customer, app, profile.dump(), contract::to_rfc3339(now)});
  refresh(customer);
  return {};
}

void Crm::save_profile(const std::string& customer, const json& profile) {
  db_.execute("UPDATE customer SET profile = $2 WHERE customer = $1", {customer, profile.dump()});
  refresh(customer);
}

Result<void> Crm::put_identity(const json& identity) {
  if (auto ok = check(Collection::identities, identity); !ok) return ok;
  const std::string customer = identity.at("customer");
  if (auto ok = must_exist(customer); !ok) return ok;
  db_.execute(
      "INSERT INTO identity (identity, customer, value) VALUES ($1, $2, $3) ON CONFLICT (identity) "
      "DO UPDATE SET customer = excluded.customer, value = excluded.value",
      {identity.at("identity").get<std::string>(), customer, identity.dump()});
  refresh(customer);
  return {};
}

Result<void> Crm::put_campaign(const json& campaign) {
  if (auto ok = contract::check_written(Collection::campaigns, campaign.dump()); !ok) return ok;
  feed_.put(Collection::campaigns, campaign.at("campaign"), "", campaign.dump());
  return {};
}

Result<void> Crm::remove_campaign(const std::string& campaign) {
  if (!feed_.remove(Collection::campaigns, campaign)) {
    return fail(ErrorCode::not_found, "there is no such campaign");
  }
  return {};
}

Result<void> Crm::put_policy(const json& policy) {
  if (auto ok = contract::check_written(Collection::policy, policy.dump()); !ok) return ok;
  feed_.put(Collection::policy, "policy", "", policy.dump());
  return {};
}

std::vector<std::string> Crm::customers() {
  std::vector<std::string> out;
  for (const Row& row : db_.query("SELECT customer FROM customer ORDER BY customer")) {
    out.push_back(row.text(0));
  }
  return out;
}

std::optional<json> Crm::profile(const std::string& customer) {
  const Rows rows = db_.query("SELECT profile FROM customer WHERE customer = $1", {customer});
  if (rows.empty()) return std::nullopt;
  return parse(rows[0].text(0));
}

std::optional<std::string> Crm::app_of(const std::string& customer) {
  const Rows rows = db_.query("SELECT app_id FROM customer WHERE customer = $1", {customer});
  if (rows.empty()) return std::nullopt;
  return rows[0].text(0);
}

std::optional<std::string> Crm::customer_of(const std::string& app_id) {
  const Rows rows = db_.query("SELECT customer FROM customer WHERE app_id = $1", {app_id});
  if (rows.empty()) return std::nullopt;
  return rows[0].text(0);
}

// Puts into the feed what boxes may know of the customer now, and takes out the rest. Whether a
// grant has expired is for the boxes to see: it needs no message.
void Crm::refresh(const std::string& customer) {
  bool wanted = false;
  for (const json& record : consents(customer)) {
    wanted = wanted || is_given(record, WallTime::min());
  }
  const Rows identities =
      db_.query("SELECT identity, value FROM identity WHERE customer = $1", {customer});
  if (wanted) {
    feed_.put(Collection::profiles, customer, customer, profile(customer)->dump());
    for (const Row& row : identities) {
      feed_.put(Collection::identities, row.text(0), customer, row.text(1));
    }
  } else {
    feed_.remove(Collection::profiles, customer);
    for (const Row& row : identities) feed_.remove(Collection::identities, row.text(0));
  }
}

// ---- consent ----

Result<json> Crm::set_consent(const ConsentChange& change) {
  if (auto ok = must_exist(change.customer); !ok) return tl::unexpected(ok.error());
  const std::string purpose(to_string(change.purpose));
  json record;
  for (json& existing : consents(change.customer)) {
    if (existing.at("purpose") == purpose) record = std::move(existing);
  }
  const ConsentNotice& notice = change.notice ? *change.notice : settings_.notice;
  if (record.is_null()) {
    record = {{"record_id", change.record_id.empty() ? contract::new_uuid() : change.record_id},
              {"schema_version", "1"},
              {"tenant", settings_.tenant},
              {"customer", change.customer},
              {"purpose", purpose},
              {"data_categories", data_categories(change.purpose)},
              {"controller", settings_.controller},
              {"storage_location", settings_.storage_location},
              {"retention_days", settings_.retention_days},
              {"jurisdiction", settings_.jurisdiction},
              {"recipients", json::array()},
              {"withdraw_how", "in the app, at the desk, or by writing to the controller"},
              {"history", json::array()}};
  }
  // A withdrawal keeps the notice that the grant was given under.
  if (change.given || !record.contains("notice")) {
    record["notice"] = {
        {"id", notice.id}, {"version", notice.version}, {"language", notice.language}};
  }
  if (change.given) {
    record["data_categories"] = data_categories(change.purpose);
    if (change.ageing) record["data_categories"].push_back("face_template_ageing");
    if (change.expires_at) {
      record["expires_at"] = contract::to_rfc3339(*change.expires_at);
    } else {
      record.erase("expires_at");
    }
  }
  const json entry = {{"state", change.given ? "given" : "withdrawn"},
                      {"at", contract::to_rfc3339(change.at)},
                      {"how", change.how}};
  json& history = record["history"];
  if (std::find(history.begin(), history.end(), entry) == history.end()) {
    if (history.size() >= kMaxHistory) {
      return fail(ErrorCode::full, "the history of this consent is full");
    }
    history.push_back(entry);
    std::sort(history.begin(), history.end(), [](const json& a, const json& b) {
      return std::make_pair(a.at("at").get<std::string>(), a.at("state").get<std::string>()) <
             std::make_pair(b.at("at").get<std::string>(), b.at("state").get<std::string>());
    });
  }
  if (auto ok = check(Collection::consents, record); !ok) return tl::unexpected(ok.error());
  if (auto ok = sign(record); !ok) return tl::unexpected(ok.error());
  feed_.put(Collection::consents, record.at("record_id"), change.customer, record.dump());
  refresh(change.customer);
  return record;
}

std::vector<json> Crm::consents(const std::string& customer) {
  std::vector<json> out;
  for (const Item& item : feed_.of_customer(Collection::consents, customer)) {
    out.push_back(parse(item.value));
  }
  return out;
}

PurposeSet Crm::given(const std::string& customer, WallTime now) {
  PurposeSet out;
  for (const json& record : consents(customer)) {
    const auto purpose = purpose_from_string(record.at("purpose").get<std::string>());
    if (purpose && is_given(record, now)) out.add(*purpose);
  }
  return out;
}

// ---- signatures ----

std::unique_ptr<contract::Signer> Crm::signer() {
  const Rows rows = db_.query(
      "SELECT id, seed FROM signing_key WHERE used_from IS NOT NULL AND retired_at IS NULL");
  if (rows.empty()) return nullptr;
  std::array<std::uint8_t, 32> seed{};
  if (!from_hex(rows[0].text(1), seed)) throw DatabaseError("the signing key is damaged");
  auto out = std::make_unique<contract::Signer>(rows[0].text(0), seed);
  sodium_memzero(seed.data(), seed.size());
  return out;
}

Result<void> Crm::sign(json& record) {
  const auto key = signer();
  if (!key) return {};
  const auto text = key->sign(record.dump());
  if (!text) return tl::unexpected(text.error());
  record = parse(*text);
  return {};
}

std::string Crm::new_signing_key(WallTime now) {
  const std::string at = contract::to_rfc3339(now);
  std::string id = "k-" + random_hex(4);
  auto seed = contract::Signer::new_seed();
  const contract::Signer made(id, seed);
  const std::string seed_text = to_hex(seed);
  sodium_memzero(seed.data(), seed.size());
  contract::KeyRing ring;
  ring.pin(id, made.public_key());
  db_.execute("INSERT INTO signing_key (id, public_key, seed, made_at) VALUES ($1, $2, $3, $4)",
              {id, ring.to_text(), seed_text, at});
  if (!signer() && !use_signing_key(id, now)) throw DatabaseError("the new key is not there");
  return id;
}

Result<void> Crm::use_signing_key(const std::string& id, WallTime now) {
  const std::string at = contract::to_rfc3339(now);
  if (db_.execute("UPDATE signing_key SET used_from = $2 WHERE id = $1 AND retired_at IS NULL",
                  {id, at}) != 1) {
    return fail(ErrorCode::not_found, "there is no such key that is not retired");
  }
  db_.execute(
      "UPDATE signing_key SET retired_at = $2, seed = '' WHERE id <> $1 AND used_from IS NOT NULL "
      "AND retired_at IS NULL",
      {id, at});
  for (const Item& item : feed_.live(Collection::consents)) {
    json record = parse(item.value);
    if (sign(record)) feed_.put(Collection::consents, item.key, item.customer, record.dump());
  }
  for (const Row& row : db_.query("SELECT store, function, seq, paused, id, at FROM control")) {
    save_control(to_control(row));
  }
  const auto key = signer();
  for (const Row& row : db_.query("SELECT id, store, box, payload FROM command")) {
    if (const auto signed_again = key->sign(row.text(3))) {
      db_.execute("UPDATE command SET payload = $4 WHERE id = $1 AND store = $2 AND box = $3",
                  {row.text(0), row.text(1), row.text(2), *signed_again});
    }
  }
  return {};
}

std::string Crm::public_keys() {
  std::string out;
  for (const Row& row : db_.query("SELECT public_key, used_from, retired_at FROM signing_key "
                                  "ORDER BY made_at")) {
    if (!row.null(2)) {
      out += "# retired " + row.text(2) + ": ";  // the key itself is part of the comment
    } else {
      out += row.null(1) ? "# not used yet\n" : "# used from " + row.text(1) + "\n";
    }
    out += row.text(0);
  }
  return out;
}

// ---- what staff learnt ----

Result<void> Crm::note_conversation(const std::string& customer, const std::string& text,
                                    WallTime at) {
  auto document = profile(customer);
  if (!document) return fail(ErrorCode::not_found, "there is no such customer");
  if (const auto last = document->find("last_conversation");
      last != document->end() && last->is_object() && !newer(*last, "at", at)) {
    return {};
  }
  (*document)["last_conversation"] = {{"text", text}, {"at", contract::to_rfc3339(at)}};
  save_profile(customer, *document);
  return {};
}

Result<void> Crm::note_preference(const std::string& customer, const PreferenceNews& change,
                                  WallTime at) {
  auto document = profile(customer);
  if (!document) return fail(ErrorCode::not_found, "there is no such customer");
  json& preferences = (*document)["preferences"];
  if (!preferences.is_array()) preferences = json::array();
  auto found = std::find_if(preferences.begin(), preferences.end(), [&](const json& preference) {
    return preference.at("key") == change.key;
  });
  if (found == preferences.end()) {
    preferences.push_back({{"key", change.key}, {"value", change.value}});
    found = std::prev(preferences.end());
  } else if (!newer(*found, "last_confirmed", at)) {
    return {};
  }
  json& preference = *found;
  Preference known;
  known.value = preference.at("value");
  known.confidence = preference.value("confidence", known.confidence);
  known.confirmed = preference.value("confirmed", 0);
  if (!change.change && known.value == change.value) {
    welcome::confirm(known, at);
  } else {
    welcome::change(known, change.value, at);
  }
  preference["value"] = known.value;
  preference["confidence"] = known.confidence;
  preference["confirmed"] = known.confirmed;
  preference["last_confirmed"] = contract::to_rfc3339(at);
  preference["source"] = "staff";
  if (auto ok = check(Collection::profiles, *document); !ok) return ok;
  save_profile(customer, *document);
  return {};
}

// ---- access and erasure ----

Result<json> Crm::export_customer(const std::string& customer, WallTime now) {
  if (auto ok = must_exist(customer); !ok) return tl::unexpected(ok.error());
  json out = {{"v", 1},
              {"customer", customer},
              {"app_id", *app_of(customer)},
              {"exported_at", contract::to_rfc3339(now)},
              {"controller", settings_.controller},
              {"profile", *profile(customer)},
              {"consents", consents(customer)},
              {"identities", json::array()},
              {"events", json::array()},
              {"offers", json::array()},
              {"survey_answers", json::array()},
              {"app_requests", json::array()}};
  for (const Row& row :
       db_.query("SELECT value FROM identity WHERE customer = $1 ORDER BY identity", {customer})) {
    out["identities"].push_back(parse(row.text(0)));
  }
  for (const Row& row : db_.query("SELECT id, store, box, type, time, data FROM ledger "
                                  "WHERE customer = $1 ORDER BY position",
                                  {customer})) {
    out["events"].push_back({{"id", row.text(0)},
                             {"store", row.text(1)},
                             {"box", row.text(2)},
                             {"type", row.text(3)},
                             {"time", row.text(4)},
                             {"data", parse(row.text(5))}});
  }
  for (const Row& row : db_.query("SELECT decision, campaign, variant, shown_at, opened_at, "
                                  "redeemed_at FROM offer WHERE customer = $1 ORDER BY shown_at",
                                  {customer})) {
    json offer = {{"decision", row.text(0)},
                  {"campaign", row.text(1)},
                  {"variant", row.text(2)},
                  {"shown_at", row.text(3)}};
    if (!row.null(4)) offer["opened_at"] = row.text(4);
    if (!row.null(5)) offer["redeemed_at"] = row.text(5);
    out["offers"].push_back(std::move(offer));
  }
  for (const Row& row : db_.query("SELECT kind, score, at FROM survey_answer WHERE customer = $1 "
                                  "ORDER BY at",
                                  {customer})) {
    out["survey_answers"].push_back(
        {{"kind", row.text(0)}, {"score", row.integer(1)}, {"at", row.text(2)}});
  }
  for (const Row& row : db_.query("SELECT kind, received_at, body FROM request WHERE app_id = $1 "
                                  "ORDER BY position",
                                  {*app_of(customer)})) {
    out["app_requests"].push_back(
        {{"kind", row.text(0)}, {"at", row.text(1)}, {"body", parse(row.text(2))}});
  }
  return out;
}

Result<std::string> Crm::forget(const std::string& customer, WallTime now) {
  const std::optional<std::string> app = app_of(customer);
  if (!app) return fail(ErrorCode::not_found, "there is no such customer");
  const std::string at = contract::to_rfc3339(now);
  const std::string id = contract::new_uuid();

  for (const Collection collection :
       {Collection::consents, Collection::identities, Collection::profiles}) {
    for (const Item& item : feed_.of_customer(collection, customer)) {
      feed_.remove(collection, item.key);
    }
  }
  db_.execute("DELETE FROM identity WHERE customer = $1", {customer});
  db_.execute("DELETE FROM customer WHERE customer = $1", {customer});
  db_.execute("DELETE FROM outbox WHERE customer = $1", {customer});
  db_.execute("DELETE FROM command WHERE customer = $1", {customer});
  // Counts stay, the person does not.
  db_.execute(
      "UPDATE ledger SET customer = '', data = '{}', note = 'erased', handled = 1 "
      "WHERE customer = $1",
      {customer});
  db_.execute("UPDATE offer SET customer = '' WHERE customer = $1", {customer});
  db_.execute("UPDATE survey_answer SET customer = '' WHERE customer = $1", {customer});
  db_.execute("DELETE FROM request WHERE app_id = $1 AND handled = 1", {*app});

  db_.execute("INSERT INTO tombstone (customer_hash, at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
              {hash(customer), at});
  db_.execute(
      "INSERT INTO erasure (erasure, customer, customer_hash, asked_at, done_at) "
      "VALUES ($1, $2, $3, $4, NULL)",
      {id, customer, hash(customer), at});
  db_.execute(
      "INSERT INTO erasure_box (erasure, store, box, done_at, receipt) "
      "SELECT $1, store, box, NULL, NULL FROM box",
      {id});
  contract::Command command;
  command.id = MessageId(id);
  command.kind = contract::Command::Kind::erase;
  command.customer = CustomerId(customer);
  for (const auto& [store, box] : boxes("")) to_box(store, box, command, now, std::nullopt);
  finish_erasure(id, now);
  return id;
}

std::optional<Erasure> Crm::erasure(const std::string& id_or_customer) {
  const Rows rows = db_.query(
      "SELECT erasure, asked_at, done_at FROM erasure WHERE erasure = $1 OR customer_hash = $2 "
      "ORDER BY asked_at DESC LIMIT 1",
      {id_or_customer, hash(id_or_customer)});
  if (rows.empty()) return std::nullopt;
  Erasure out{rows[0].text(0), rows[0].text(1), rows[0].maybe(2), {}};
  for (const Row& row :
       db_.query("SELECT store, box, done_at, refused FROM erasure_box WHERE erasure = $1 "
                 "ORDER BY store, box",
                 {out.id})) {
    out.boxes.push_back({row.text(0), row.text(1), row.maybe(2), row.text(3)});
  }
  return out;
}

void Crm::erasure_done(const std::string& erasure, const std::string& store, const std::string& box,
                       const std::string& receipt, WallTime now) {
  db_.execute(
      "UPDATE erasure_box SET done_at = $4, receipt = $5, refused = NULL "
      "WHERE erasure = $1 AND store = $2 AND box = $3 AND done_at IS NULL",
      {erasure, store, box, contract::to_rfc3339(now), receipt});
  answered(erasure, store, box);
  finish_erasure(erasure, now);
}

Result<void> Crm::take_receipt(const std::string& store, const std::string& box,
                               const json& receipt, WallTime now) {
  const std::string erasure = receipt.at("command");
  const Rows rows = db_.query(
      "SELECT erasure.customer FROM erasure_box JOIN erasure ON erasure.erasure = "
      "erasure_box.erasure WHERE erasure_box.erasure = $1 AND store = $2 AND box = $3 "
      "AND erasure_box.done_at IS NULL",
      {erasure, store, box});
  if (rows.empty()) return {};  // nobody waits for it (any more)
  if (auto good = check_receipt(store, box, receipt, rows[0].text(0)); !good) {
    db_.execute(
        "UPDATE erasure_box SET refused = $4 WHERE erasure = $1 AND store = $2 AND box = $3",
        {erasure, store, box, good.error().message});
    return good;
  }
  erasure_done(erasure, store, box, receipt.dump(), now);
  return {};
}

Result<void> Crm::check_receipt(const std::string& store, const std::string& box, json receipt,
                                const std::string& customer) {
  if (receipt.at("box") != box) return fail(ErrorCode::refused, "it is another box's");
  if (!receipt.contains("sig")) return fail(ErrorCode::refused, "it is not signed");
  const auto known = box_key(store, box);
  if (!known) return fail(ErrorCode::refused, "the box has not said its key");
  receipt["customer"] = customer;
  const std::string text = receipt.dump();
  const auto signed_with = [&](const contract::Ed25519Public& key) {
    contract::KeyRing ring;
    ring.pin(box, key);
    return ring.verify(text).has_value();
  };
  if (signed_with(known->key)) return {};
  if (known->other && signed_with(*known->other)) {
    return fail(ErrorCode::refused, "it is signed with a key that is not trusted");
  }
  return fail(ErrorCode::refused, "its signature is wrong");
}

// ---- keys of boxes ----

std::optional<PinnedKey> Crm::box_key(const std::string& store, const std::string& box) {
  const Rows rows = db_.query(
      "SELECT public_key, trusted_at, other, other_at FROM box_key WHERE store = $1 AND box = $2",
      {store, box});
  if (rows.empty()) return std::nullopt;
  const auto key = contract::public_key_from_text(rows[0].text(0));
  if (!key) throw DatabaseError("the key of a box is damaged");
  PinnedKey out{*key, rows[0].text(1), std::nullopt, rows[0].text(3)};
  if (const auto other = contract::public_key_from_text(rows[0].text(2))) out.other = *other;
  return out;
}

void Crm::pin(const std::string& store, const std::string& box, const contract::Ed25519Public& key,
              WallTime now) {
  db_.execute(
      "INSERT INTO box_key (store, box, public_key, trusted_at) VALUES ($1, $2, $3, $4) "
      "ON CONFLICT (store, box) DO UPDATE SET public_key = excluded.public_key, "
      "trusted_at = excluded.trusted_at, other = NULLIF(box_key.other, excluded.public_key)",
      {store, box, contract::public_key_text(key), contract::to_rfc3339(now)});
  if (db_.query("SELECT 1 FROM erasure_box WHERE store = $1 AND box = $2 AND refused IS NOT NULL",
                {store, box})
          .empty()) {
    return;
  }
  db_.execute(
      "UPDATE ledger SET handled = 0, note = '' WHERE store = $1 AND box = $2 "
      "AND type LIKE '%.erasure.receipt.%' AND note LIKE 'refused: %'",
      {store, box});
}

bool Crm::box_says_key(const std::string& store, const std::string& box,
                       const contract::Ed25519Public& key, WallTime now) {
  const auto known = box_key(store, box);
  if (!known) {
    pin(store, box, key, now);
    return true;
  }
  const bool trusted = known->key == key;
  const Value other = trusted ? Value(nullptr) : Value(contract::public_key_text(key));
  const Value other_at = trusted ? Value(nullptr) : Value(contract::to_rfc3339(now));
  if (trusted ? known->other.has_value() : known->other != key) {
    db_.execute("UPDATE box_key SET other = $3, other_at = $4 WHERE store = $1 AND box = $2",
                {store, box, other, other_at});
  }
  return trusted;
}

Result<void> Crm::trust_box(const std::string& store, const std::string& box,
                            const std::optional<contract::Ed25519Public>& key, WallTime now) {
  const auto known = box_key(store, box);
  if (!key && !known) return fail(ErrorCode::not_found, "this box has not said a key");
  const contract::Ed25519Public wanted = key ? *key : known->other.value_or(known->key);
  if (!known || known->key != wanted) pin(store, box, wanted, now);
  return {};
}

// When the last box has confirmed, nobody needs the id any more.
void Crm::finish_erasure(const std::string& erasure, WallTime now) {
  if (!db_.query("SELECT 1 FROM erasure_box WHERE erasure = $1 AND done_at IS NULL LIMIT 1",
                 {erasure})
           .empty()) {
    return;
  }
  const Rows rows =
      db_.query("SELECT customer FROM erasure WHERE erasure = $1 AND done_at IS NULL", {erasure});
  if (rows.empty()) return;
  feed_.purge_deleted(rows[0].text(0));
  db_.execute("UPDATE erasure SET customer = '', done_at = $2 WHERE erasure = $1",
              {erasure, contract::to_rfc3339(now)});
}

// ---- control ----

contract::Control Crm::to_control(const Row& row) const {
  contract::Control control;
  control.tenant = settings_.tenant;
  control.store = row.text(0);
  control.function = function_from_string(row.text(1)).value();
  control.seq = static_cast<std::uint64_t>(row.integer(2));
  control.paused = row.integer(3) != 0;
  control.id = MessageId(row.text(4));
  control.at = contract::from_rfc3339(row.text(5)).value();
  return control;
}

// The newest message of a store is retained by the broker; boxes keep them all.
void Crm::save_control(const contract::Control& control) {
  const auto key = signer();
  contract::Message message = contract::encode_control(control, key.get());
  message.id =
      MessageId("control/" + control.store + "/" + std::string(to_string(control.function)) + "/" +
                std::to_string(control.seq) + "/" + (key ? key->key_id() : ""));
  to_outbox(message);
}

contract::Control Crm::set_control(const std::string& store, Function function, bool paused,
                                   WallTime now) {
  contract::Control control;
  control.tenant = settings_.tenant;
  control.store = store;
  control.function = function;
  control.paused = paused;
  control.at = now;
  control.id = MessageId(contract::new_uuid());
  control.seq = static_cast<std::uint64_t>(
      db_.query("SELECT COALESCE(MAX(seq), 0) + 1 FROM control").at(0).integer(0));
  db_.execute(
      "INSERT INTO control (store, function, seq, paused, id, at) VALUES ($1, $2, $3, $4, $5, $6) "
      "ON CONFLICT (store, function) DO UPDATE SET seq = excluded.seq, paused = excluded.paused, "
      "id = excluded.id, at = excluded.at",
      {store, std::string(to_string(function)), static_cast<std::int64_t>(control.seq),
       std::int64_t{paused ? 1 : 0}, control.id.str(), contract::to_rfc3339(now)});
  save_control(control);
  return control;
}

std::vector<contract::Control> Crm::controls() {
  std::vector<contract::Control> out;
  for (const Row& row :
       db_.query("SELECT store, function, seq, paused, id, at FROM control ORDER BY seq")) {
    out.push_back(to_control(row));
  }
  return out;
}

// ---- out ----

void Crm::to_outbox(const contract::Message& message) {
  db_.execute(
      "INSERT INTO outbox (id, topic, payload, retain, expires_at, customer) "
      "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING",
      {message.id.str(), message.topic, message.payload, std::int64_t{message.retain ? 1 : 0},
       message.expires_at ? Value(contract::to_rfc3339(*message.expires_at)) : Value(nullptr),
       message.customer.str()});
}

void Crm::to_box(const std::string& store, const std::string& box, const contract::Command& command,
                 WallTime now, std::optional<WallTime> expires_at) {
  const auto key = signer();
  const contract::Message message =
      contract::encode_command({settings_.tenant, store, box}, command, key.get());
  db_.execute(
      "INSERT INTO command (id, store, box, customer, payload, made_at, expires_at, sent_at) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, NULL) ON CONFLICT DO NOTHING",
      {command.id.str(), store, box, command.customer.str(), message.payload,
       contract::to_rfc3339(now),
       expires_at ? Value(contract::to_rfc3339(*expires_at)) : Value(nullptr)});
}

void Crm::answered(const std::string& command, const std::string& store, const std::string& box) {
  db_.execute(
      "DELETE FROM command WHERE id = $1 AND store = $2 AND box = $3 AND NOT EXISTS (SELECT 1 "
      "FROM erasure_box WHERE erasure_box.erasure = command.id AND erasure_box.store = "
      "command.store AND erasure_box.box = command.box AND erasure_box.done_at IS NULL)",
      {command, store, box});
}

std::vector<std::pair<std::string, std::string>> Crm::boxes(const std::string& store) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const Row& row : db_.query(
           "SELECT store, box FROM box WHERE store = $1 OR $1 = '' ORDER BY store, box", {store})) {
    out.emplace_back(row.text(0), row.text(1));
  }
  return out;
}

void Crm::to_app(const std::string& app_id, const std::string& customer,
                 const contract::AppMessage& message, WallTime expires_at) {
  contract::Message out = contract::encode_inbox(settings_.tenant, app_id, message);
  out.id = message.id;
  out.customer = CustomerId(customer);
  out.expires_at = expires_at;
  to_outbox(out);
}

}  // namespace welcome::crm
