// SPDX-License-Identifier: Apache-2.0
// The history of a consent: what is written into it, what counts, and how it stays small enough to
// be sent (docs/decisions/0110).

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <vector>

#include "contract/schema_set.h"
#include "core/consent.h"
#include "core/timekeeper.h"
#include "crm/crm.h"
#include "crm/desk_consents.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;
using Steps = std::vector<ConsentStep>;

// So many steps of a record are sent: a few KiB, whatever happened in ten years. Those before them
// are kept here.
constexpr std::size_t kMaxSteps = 200;

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

std::optional<WallTime> time_in(const json& record, const char* name) {
  const auto found = record.find(name);
  if (found == record.end()) return std::nullopt;
  return contract::from_rfc3339(found->get<std::string>());
}

Steps steps_of(const json& record) {
  Steps steps;
  for (const json& step : record.at("history")) {
    steps.push_back({step.at("state") == "given" ? ConsentState::given : ConsentState::withdrawn,
                     contract::from_rfc3339(step.at("at").get<std::string>()).value_or(WallTime{}),
                     step.at("how")});
  }
  return steps;
}

// In the order in which they count: of two at the same time the withdrawal is the later.
bool counts_before(const ConsentStep& a, const ConsentStep& b) {
  return a.at != b.at ? a.at < b.at : a.state < b.state;
}

void insert(Steps& steps, const ConsentStep& step) {
  steps.insert(std::upper_bound(steps.begin(), steps.end(), step, counts_before), step);
}

bool has(const Steps& steps, const ConsentStep& step) {
  return std::any_of(steps.begin(), steps.end(), [&](const ConsentStep& one) {
    return one.state == step.state && one.at == step.at;
  });
}

// The state just before `step` was said.
std::optional<ConsentState> state_before(const Steps& steps, const ConsentStep& step) {
  const auto next = std::upper_bound(steps.begin(), steps.end(), step, counts_before);
  if (next == steps.begin()) return std::nullopt;
  return std::prev(next)->state;
}

ConsentStanding standing_of(const Steps& steps) {
  ConsentStanding out;
  for (const ConsentStep& step : steps) {
    auto& newest = step.state == ConsentState::given ? out.given_at : out.withdrawn_at;
    newest = newest ? std::max(*newest, step.at) : step.at;
  }
  return out;
}

json notice_json(const ConsentNotice& notice) {
  return {{"id", notice.id}, {"version", notice.version}, {"language", notice.language}};
}

// What a grant says beside "yes". A file that names no notice repeats what was agreed.
struct Terms {
  json notice, data_categories;
  std::optional<std::string> expires_at;

  static Terms of(const json& record) {
    Terms out{record.value("notice", json()), record.at("data_categories"), std::nullopt};
    if (record.contains("expires_at")) out.expires_at = record.at("expires_at");
    return out;
  }
  void write(json& record) const {
    record["notice"] = notice;
    record["data_categories"] = data_categories;
    record.erase("expires_at");
    if (expires_at) record["expires_at"] = *expires_at;
  }
  friend bool operator==(const Terms&, const Terms&) = default;
};

Terms terms_of(const ConsentChange& change, const json& known, const ConsentNotice& usual) {
  Terms out{known, data_categories(change.purpose), std::nullopt};
  if (change.notice) out.notice = notice_json(*change.notice);
  if (out.notice.is_null()) out.notice = notice_json(usual);
  if (change.ageing) out.data_categories.push_back("face_template_ageing");
  if (change.expires_at) out.expires_at = contract::to_rfc3339(*change.expires_at);
  return out;
}

// One record's history while something is added to it.
class History {
 public:
  History(Database& db, const std::string& customer, json& record)
      : db_(db),
        customer_(customer),
        record_id_(record.at("record_id")),
        record_(record),
        steps_(steps_of(record)) {
    std::sort(steps_.begin(), steps_.end(), counts_before);
  }

  // Both return whether the record is another one now.
  bool grant(const ConsentStep& said, const Terms& terms, bool awaited);
  bool withdraw(const ConsentStep& said, bool awaited);
  void save();

 private:
  bool known(const ConsentStep& step);
  void say_withdrawn_again(const ConsentStep& said);

  Database& db_;
  const std::string& customer_;
  const std::string record_id_;
  json& record_;
  Steps steps_;
};

bool History::known(const ConsentStep& step) {
  return has(steps_, step) ||
         !db_.query("SELECT 1 FROM consent_past WHERE record_id = $1 AND at = $2 AND state = $3",
                    {record_id_, contract::to_rfc3339(step.at), std::string(to_string(step.state))})
              .empty();
}

bool History::grant(const ConsentStep& said, const Terms& terms, bool awaited) {
  const ConsentStanding before = standing_of(steps_);
  // The terms are those of the newest grant.
  const bool newest = !before.given_at || said.at >= *before.given_at;
  const bool same = !newest || terms == Terms::of(record_);
  const bool step_known = known(said);
  const bool repeat = step_known || (!awaited && state_before(steps_, said) == ConsentState::given);
  if (repeat && same) return false;
  if (newest) terms.write(record_);
  if (step_known) return true;
  insert(steps_, said);
  // It was withdrawn again after this was said: now that has to be seen.
  for (const Row& row :
       db_.query("SELECT at, how FROM withdrawn_again WHERE record_id = $1", {record_id_})) {
    const auto at = contract::from_rfc3339(row.text(0));
    if (!at || *at < said.at) continue;
    insert(steps_, {ConsentState::withdrawn, *at, row.text(1)});
    db_.execute("DELETE FROM withdrawn_again WHERE record_id = $1", {record_id_});
  }
  return true;
}

bool History::withdraw(const ConsentStep& said, bool awaited) {
  if (known(said)) return false;
  const ConsentStanding before = standing_of(steps_);
  if (before.given()) {
    insert(steps_, said);
    // A grant that came earlier and counts later does not outlive it.
    if (*before.given_at > said.at) {
      insert(steps_, {ConsentState::withdrawn, *before.given_at, said.how});
    }
    return true;
  }
  if (awaited || state_before(steps_, said) != ConsentState::withdrawn) {
    insert(steps_, said);
    return true;
  }
  say_withdrawn_again(said);
  return false;
}

// Nothing new to a box, but no grant from before it may count.
void History::say_withdrawn_again(const ConsentStep& said) {
  db_.execute(
      "INSERT INTO withdrawn_again (record_id, customer, at, how) VALUES ($1, $2, $3, $4) "
      "ON CONFLICT (record_id) DO UPDATE SET at = excluded.at, how = excluded.how "
      "WHERE excluded.at > withdrawn_again.at",
      {record_id_, customer_, contract::to_rfc3339(said.at), said.how});
}

// A box judges by the newest grant and the newest withdrawal, so they stay.
void History::save() {
  const ConsentStanding now = standing_of(steps_);
  const auto needed = [&](const ConsentStep& step) {
    return step.at == (step.state == ConsentState::given ? now.given_at : now.withdrawn_at);
  };
  for (auto step = steps_.begin(); steps_.size() > kMaxSteps;) {
    if (needed(*step)) {
      ++step;
      continue;
    }
    db_.execute(
        "INSERT INTO consent_past (record_id, at, state, how, customer) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        {record_id_, contract::to_rfc3339(step->at), std::string(to_string(step->state)), step->how,
         customer_});
    step = steps_.erase(step);
  }
  json history = json::array();
  for (const ConsentStep& step : steps_) {
    history.push_back({{"state", to_string(step.state)},
                       {"at", contract::to_rfc3339(step.at)},
                       {"how", step.how}});
  }
  record_["history"] = std::move(history);
}

}  // namespace

bool is_given(const json& record, WallTime now) {
  const ConsentStanding result = standing_of(steps_of(record));
  const auto expires_at = time_in(record, "expires_at");
  return result.given() && (!expires_at || now < *expires_at);
}

json Crm::new_record(const ConsentChange& change) const {
  return {{"record_id", contract::new_uuid()},
          {"schema_version", "1"},
          {"tenant", settings_.tenant},
          {"customer", change.customer},
          {"purpose", to_string(change.purpose)},
          {"data_categories", data_categories(change.purpose)},
          {"controller", settings_.controller},
          {"storage_location", settings_.storage_location},
          {"retention_days", settings_.retention_days},
          {"jurisdiction", settings_.jurisdiction},
          {"recipients", json::array()},
          {"withdraw_how", "in the app, at the desk, or by writing to the controller"},
          {"history", json::array()}};
}

std::optional<json> Crm::record_of(const std::string& customer, Purpose purpose) {
  for (json& record : consents(customer)) {
    if (record.at("purpose") == to_string(purpose)) return std::move(record);
  }
  return std::nullopt;
}

bool Crm::opted_out(const std::string& customer, Purpose purpose) {
  const auto record = record_of(customer, purpose);
  if (!record) return false;
  const ConsentStanding result = standing_of(steps_of(*record));
  return result.withdrawn_at && !result.given();
}

Result<json> Crm::set_consent(const ConsentChange& change, WallTime now) {
  if (auto ok = must_exist(change.customer); !ok) return tl::unexpected(ok.error());
  if (!change.given) DeskConsents(*this).withdrawn(change.customer, change.purpose, now);
  const auto before = record_of(change.customer, change.purpose);
  json record = before ? *before : new_record(change);
  // Nobody knows when it was said: a grant brings nobody back and renews nothing, and a withdrawal
  // is no second one.
  if (before && !change.at && (change.given || opted_out(change.customer, change.purpose))) {
    return record;
  }
  // A box waits for the step that it told of, at the very time that it said.
  const WallTime latest = change.by_box ? now + kClocksAgree : now;
  const ConsentStep said{change.given ? ConsentState::given : ConsentState::withdrawn,
                         std::min(change.at.value_or(now), latest), change.how};
  History history(db_, change.customer, record);
  const Terms terms = terms_of(change, record.value("notice", json()), settings_.notice);
  if (!record.contains("notice")) record["notice"] = terms.notice;
  const bool changed = change.given ? history.grant(said, terms, change.by_box)
                                    : history.withdraw(said, change.by_box);
  if (!changed && before) return record;
  history.save();
  if (auto ok = contract::check_schema("item.consents", record); !ok) {
    return tl::unexpected(ok.error());
  }
  if (auto ok = sign(record); !ok) return tl::unexpected(ok.error());
  feed_.put(Collection::consents, record.at("record_id"), change.customer, record.dump());
  note_end(record, now);
  refresh(change.customer);
  tell_page(change.customer, "consents", now);
  return record;
}

std::vector<json> Crm::consents(const std::string& customer) {
  std::vector<json> out;
  for (const Item& item : feed_.of_customer(Collection::consents, customer)) {
    out.push_back(json::parse(item.value));
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

}  // namespace welcome::crm
