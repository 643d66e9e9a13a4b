// SPDX-License-Identifier: Apache-2.0
#include "crm/crm.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <sodium.h>
#include <utility>

#include "contract/items.h"
#include "contract/schema_set.h"
#include "core/hex.h"
#include "crm/setting.h"

namespace welcome::crm {
namespace {

std::string random_hex(std::size_t bytes) {
  std::vector<std::uint8_t> raw(bytes);
  randombytes_buf(raw.data(), raw.size());
  return to_hex(raw);
}

json parse(const std::string& text) { return json::parse(text); }

Result<void> check(Collection collection, const json& item) {
  return contract::check_schema("item." + std::string(contract::to_string(collection)), item);
}

// A twin of somebody's id that people cannot tell from it on a screen.
Result<void> check_id(const char* what, const std::string& id) {
  constexpr std::string_view kBlanks[] = {" ", "\xC2\xA0", "\xE2\x80\x8B", "\xE2\x80\xAF",
                                          "\xEF\xBB\xBF"};
  const bool control =
      std::any_of(id.begin(), id.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  const bool blank = std::any_of(std::begin(kBlanks), std::end(kBlanks), [&](std::string_view b) {
    return id.starts_with(b) || id.ends_with(b);
  });
  if (!control && !blank) return {};
  return fail(ErrorCode::malformed, std::string("the ") + what + " \"" + id +
                                        (control ? "\" has a control character in it"
                                                 : "\" begins or ends with a blank") +
                                        ": take it out");
}

// Old news never replaces newer.
bool newer(const json& holder, const char* member, WallTime at) {
  const auto found = holder.find(member);
  if (found == holder.end() || !found->is_string()) return true;
  const auto time = contract::from_rfc3339(found->get<std::string>());
  return !time || at >= *time;
}

}  // namespace

// ---- set-up ----

Crm::Crm(Database& db, SigningKeys keys) : db_(db), keys_(std::move(keys)), feed_(db) {
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

Result<void> Crm::must_exist(const std::string& customer) {
  if (!app_of(customer)) return fail(ErrorCode::not_found, "there is no such customer");
  return {};
}

Result<void> Crm::check_customer(const json& profile, const std::string& app_id) {
  if (auto ok = check(Collection::profiles, profile); !ok) return ok;
  const std::string customer = profile.at("customer");
  if (auto ok = check_id("customer", customer); !ok) return ok;
  if (was_erased(customer)) {
    return fail(ErrorCode::refused, "this customer was erased; a new customer needs a new id");
  }
  if (app_id.empty()) return {};
  if (auto ok = check_id("app_id", app_id); !ok) return ok;
  if (!contract::valid_level(app_id)) {
    return fail(ErrorCode::malformed, "app_id cannot be in a topic");
  }
  if (const auto owner = customer_of(app_id); owner && *owner != customer) {
    return fail(ErrorCode::refused, "this app_id belongs to another customer");
  }
  return {};
}

Result<void> Crm::put_customer(const json& profile, const std::string& app_id, WallTime now) {
  if (auto ok = check_customer(profile, app_id); !ok) return ok;
  const std::string customer = profile.at("customer");
  const std::string app = !app_id.empty() ? app_id : app_of(customer).value_or(random_hex(8));
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

Result<void> Crm::check_identity(const json& identity) {
  if (const auto item = contract::decode_item(Collection::identities, identity.dump()); !item) {
    return tl::unexpected(item.error());
  }
  return check_id("identity", identity.at("identity"));
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

bool Crm::put_safe_policy(const std::string& time_zone) {
  if (feed_.get(Collection::policy, "policy")) return false;
  const json policy = {
      {"time_zone", time_zone},
      {"quiet_hours", {{"from", "20:00"}, {"to", "09:00"}, {"mode", "drop"}}},
      {"caps", {{"per_customer_day", 1}, {"per_customer_week", 3}, {"min_gap_s", 4 * 3600}}}};
  if (auto ok = put_policy(policy); !ok) throw DatabaseError(ok.error().message);
  return true;
}

// A region that is spelled wrongly would be one where nobody knows them.
Result<Home> Crm::home_from(std::string_view text) {
  auto home = Regions::home_from(text);
  if (!home) return home;
  for (const std::string& region : Regions::named_in(*home)) {
    if (!feed_.regions().exists(region)) {
      return fail(ErrorCode::not_found, "no store is in the region \"" + region +
                                            "\": is it spelled right? `welcome-crm region store`");
    }
  }
  return home;
}

Result<void> Crm::set_home(const std::string& customer, const Home& home) {
  if (auto ok = must_exist(customer); !ok) return ok;
  feed_.set_home(customer, home);
  return {};
}

std::vector<Crm::Line> Crm::customers_after(const std::string& customer, std::size_t at_most,
                                            WallTime now) {
  std::vector<Line> out;
  for (const Row& row : db_.query("SELECT customer, app_id FROM customer WHERE customer > $1 "
                                  "ORDER BY customer LIMIT $2",
                                  {customer, static_cast<std::int64_t>(at_most)})) {
    out.push_back({row.text(0), row.text(1), given(row.text(0), now)});
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

// Puts into the feed what boxes may know of the customer now, and takes out the rest.
void Crm::refresh(const std::string& customer) {
  std::set<std::string> over;
  for (const Row& row : db_.query(
           "SELECT record_id FROM consent_end WHERE customer = $1 AND over = 1", {customer})) {
    over.insert(row.text(0));
  }
  bool wanted = false;
  for (const json& record : consents(customer)) {
    wanted =
        wanted || (is_given(record, WallTime::min()) && !over.contains(record.at("record_id")));
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

// ---- what staff learnt ----

Result<void> Crm::set_met(const std::string& customer, std::optional<Met> met, WallTime at) {
  auto document = profile(customer);
  if (!document) return fail(ErrorCode::not_found, "there is no such customer");
  if (met) {
    (*document)["met"] = to_string(*met);
    document->erase("not_today_at");
  } else {
    (*document)["not_today_at"] = contract::to_rfc3339(at);
  }
  save_profile(customer, *document);
  return {};
}

std::optional<WallTime> Crm::not_today_until(const std::string& customer, WallTime now) {
  const auto document = profile(customer);
  if (!document) return std::nullopt;
  const auto at = contract::from_rfc3339(document->value("not_today_at", ""));
  if (!at) return std::nullopt;
  const StoreClock clock = store_clock();
  if (!still_today(clock, *at, now)) return std::nullopt;
  return end_of_day(clock, now);
}

// By the policy, as in the stores; UTC without one.
StoreClock Crm::store_clock() {
  const auto found = feed_.get(Collection::policy, "policy");
  if (!found) return {};
  const auto policy = contract::decode_item(Collection::policy, found->value);
  if (!policy) return {};
  return StoreClock::open(std::get<Policy>(*policy).time_zone).value_or(StoreClock());
}

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

Result<void> Crm::set_details(const std::string& customer,
                              const contract::DoorRequest::Details& details, WallTime at) {
  auto document = profile(customer);
  if (!document) return fail(ErrorCode::not_found, "there is no such customer");
  const auto set = [&](const char* name, const std::optional<std::string>& value) {
    if (!value) return;
    if (value->empty()) {
      document->erase(name);
    } else {
      (*document)[name] = *value;
    }
  };
  set("greeting", details.greeting);
  set("pronunciation", details.pronunciation);
  set("language", details.language);
  for (const auto& [key, value] : details.preferences) {
    json& preferences = (*document)["preferences"];
    if (!preferences.is_array()) preferences = json::array();
    const auto same = [key = key](const json& one) { return one.at("key") == key; };
    const auto found = std::find_if(preferences.begin(), preferences.end(), same);
    if (found != preferences.end() && found->at("value") == value) continue;
    if (found != preferences.end()) preferences.erase(found);
    if (value.empty()) continue;
    Preference said;
    welcome::change(said, value, at);
    preferences.push_back({{"key", key},
                           {"value", value},
                           {"confidence", said.confidence},
                           {"confirmed", said.confirmed},
                           {"last_confirmed", contract::to_rfc3339(at)},
                           {"source", "app"}});
  }
  if (auto ok = check(Collection::profiles, *document); !ok) return ok;
  save_profile(customer, *document);
  return {};
}

}  // namespace welcome::crm
