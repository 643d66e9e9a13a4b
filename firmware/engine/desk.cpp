// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/desk.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <utility>

#include "contract/items.h"
#include "contract/json_text.h"
#include "contract/message.h"
#include "firmware/engine/convert.h"
#include "firmware/engine/enrol_words.h"

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto kWordExpires = 15s;  // guidance of a while ago is about somebody else's face
// Somebody who enrols may not be heard yet: nobody has seen a visit.
constexpr auto kPendingAlone = 30min;

// Beside what a record says, in the box's own copy: nobody has confirmed it yet.
constexpr const char* kPending = "pending";

// The customer's record of this purpose with one more step, or a new one. What a box does not know
// of the company, another record of hers says; the CRM's own record takes this one's place.
json desk_record(const std::vector<store::ReplicaItem>& hers, const contract::BoxAddress& box,
                 const CustomerId& customer, Purpose purpose, const ConsentStep& said,
                 const ConsentNotice& notice) {
  json record{{"record_id", contract::new_uuid()},
              {"schema_version", "1"},
              {"tenant", box.tenant},
              {"data_categories", json::array()},
              {"controller", box.tenant},
              {"storage_location", "box " + box.box},
              {"retention_days", 0},
              {"jurisdiction", "not stated"},
              {"recipients", json::array()},
              {"withdraw_how", "at the desk, or in the app"},
              {"history", json::array()}};
  for (const auto& item : hers) {
    json other = json::parse(item.body, nullptr, false);
    if (!other.is_object()) continue;
    const bool same = other.value("purpose", "") == to_string(purpose);
    if (!same) {
      other["record_id"] = record["record_id"];
      other["data_categories"] = json::array();
      other["history"] = json::array();
    }
    other.erase("sig");
    other.erase("expires_at");
    record = std::move(other);
    if (same) break;
  }
  record["customer"] = customer.str();
  record["purpose"] = to_string(purpose);
  // A withdrawal keeps the notice that the grant was given under.
  if (said.state == ConsentState::given || !record.contains("notice")) {
    record["notice"] = {
        {"id", notice.id}, {"version", notice.version}, {"language", notice.language}};
  }
  record["history"].push_back(
      {{"state", to_string(said.state)}, {"at", contract::to_rfc3339(said.at)}, {"how", said.how}});
  return record;
}

}  // namespace

void Desk::hear(const contract::EnrolMessage& message, const Now& now) {
  using Kind = contract::EnrolMessage::Kind;
  const Place place{message.tablet, message.session};
  if (message.kind == Kind::stop) {
    cancel(place);
    return;
  }
  if (message.kind == Kind::lookup) return look_up(message, now);
  Result<void> done;
  if (message.kind == Kind::consent) {
    done = take_consent(message, now);
    const auto face = message.purposes.find(std::string(to_string(Purpose::face_recognition)));
    // With face recognition the tablet goes on to the camera.
    if (done && (face == message.purposes.end() || !face->second)) {
      tell_tablet(place, done_with(0), now);
    }
  } else if (message.kind == Kind::start) {
    done = enrol_for_tablet(message, now);
  }
  if (!done) {
    tell_tablet(place, failed_for(done.error().message), now);
  }
}

// Nobody agrees to anything in the name of a number that was mistyped. Who was shown whose name is
// written down before it is shown.
void Desk::look_up(const contract::EnrolMessage& message, const Now& now) {
  lookups_.ask(message.customer, now,
               [this, place = Place{message.tablet, message.session}, customer = message.customer,
                by = "staff:" + message.staff.str()](const Member& member, const Now& at) {
                 Result<void> noted;
                 if (!member.name.empty()) {
                   noted = shared_.store.transaction(
                       [&](store::Tx& tx) { tx.audit().append(at, "lookup", by, customer, ""); });
                 }
                 tell_tablet(place, noted ? member_is(member) : failed_for(noted.error().message),
                             at);
               });
}

Result<void> Desk::take_consent(const contract::EnrolMessage& message, const Now& now) {
  auto drafts = draft(message, now);
  if (!drafts) return tl::unexpected(drafts.error());
  event::ConsentChanged change;
  std::vector<ConsentRecord> before;
  for (const Draft& one : *drafts) {
    change.records.push_back(one.record);
    before.push_back(
        record_of(message.customer, one.given.purpose,
                  shared_.pipeline.gate().standing(message.customer, one.given.purpose)));
  }
  const std::string by = "staff:" + message.staff.str();
  const std::string pledge = shared_.ids.next();
  std::vector<std::string> over;  // given here, and withdrawn here
  auto stored = needs_.decide_by(by, change, now, [&](store::Tx& tx) {
    for (const Draft& one : *drafts) {
      if (!one.withdrawal) {
        tx.people().add_desk_consent({one.given.id, message.customer, now.wall, one.text});
      } else {
        for (auto& id : given_here(message.customer, one.given.purpose)) {
          tx.people().remove_desk_consent(id);
          over.push_back(std::move(id));
        }
      }
      delivery_.tell_crm(
          tx,
          {MessageId(one.given.id), now.wall, message.customer, news_of(one, message, pledge), {}},
          OutboxKind::consent, one.given.id, now);
    }
  });
  if (!stored) {
    put_back(before, now);
    return stored;
  }
  forget(over);
  std::vector<std::string> pending;
  for (Draft& one : *drafts) {
    if (one.withdrawal) continue;
    one.given.place = {message.tablet, message.session};
    pending.push_back(one.given.id);
    given_[message.customer].push_back(std::move(one.given));
  }
  tell_confirmation(pending, contract::EnrolMessage::Confirmed::waiting, now);
  return {};
}

contract::ConsentNews Desk::news_of(const Draft& draft, const contract::EnrolMessage& message,
                                    const std::string& pledge) const {
  contract::ConsentNews news;
  news.purpose = draft.given.purpose;
  news.given = !draft.withdrawal;
  news.at = draft.given.at;
  news.record_id = draft.record.record_id;
  news.staff = message.staff;
  if (draft.withdrawal) return news;
  news.notice = message.notice;
  news.confirm = message.confirm.value_or(contract::Confirmation{});
  if (news.confirm->by == contract::Confirmation::By::phone) news.confirm->pending = pledge;
  return news;
}

// Each tablet once, whatever the number of purposes.
void Desk::tell_confirmation(const std::vector<std::string>& ids,
                             contract::EnrolMessage::Confirmed confirmed, const Now& now) {
  std::set<Place> places;
  for (const auto& [customer, given] : given_) {
    for (const Given& desk : given) {
      const bool asked = std::find(ids.begin(), ids.end(), desk.id) != ids.end();
      if (asked && !desk.place.tablet.empty()) places.insert(desk.place);
    }
  }
  for (const Place& place : places) {
    contract::EnrolMessage message;
    message.kind = contract::EnrolMessage::Kind::confirmation;
    message.confirmed = confirmed;
    tell_tablet(place, std::move(message), now);
  }
}

void Desk::confirmed(const std::vector<std::string>& ids, const Now& now) {
  tell_confirmation(ids, contract::EnrolMessage::Confirmed::yes, now);
  forget(ids);
}

// The records that are to be, if nothing speaks against one of them.
Result<std::vector<Desk::Draft>> Desk::draft(const contract::EnrolMessage& message,
                                             const Now& now) {
  if (!now.wall_trusted) {
    return fail(ErrorCode::unavailable, "the box does not know the time yet");
  }
  if (shared_.pipeline.gate().forgotten(message.customer)) {
    return fail(ErrorCode::refused, "this member was erased and cannot be entered again");
  }
  if (!message.notice) return fail(ErrorCode::malformed, "consent without a notice");
  const auto known =
      shared_.store.replica().of_customer(store::Collection::consents, message.customer);
  if (!known) return tl::unexpected(known.error());
  // Somebody came to withdraw: the CRM hears of it, whatever this box knows of them.
  const bool withdrawal = std::none_of(message.purposes.begin(), message.purposes.end(),
                                       [](const auto& purpose) { return purpose.second; });
  std::vector<Draft> drafts;
  for (const auto& [name, given] : message.purposes) {
    const auto purpose = purpose_from_string(name);
    if (!purpose) return fail(ErrorCode::malformed, "unknown purpose");
    // "No" beside a yes withdraws what is given, and is no word about anything else.
    const ConsentStanding held = shared_.pipeline.gate().standing(message.customer, *purpose);
    const bool ends = held.given() || (withdrawal && !held.withdrawn_at);
    if (!given && !ends) continue;
    const ConsentStep step =
        given ? ConsentStep{ConsentState::given, now.wall, "desk"}
              : ConsentStep{ConsentState::withdrawn,
                            std::max(now.wall, held.given_at.value_or(now.wall)), "desk"};
    const json record = desk_record(*known, shared_.settings.box, message.customer, *purpose, step,
                                    *message.notice);
    auto decoded = contract::decode_item(contract::Collection::consents, contract::dump(record));
    if (!decoded) return tl::unexpected(decoded.error());
    auto& said = std::get<ConsentRecord>(*decoded);
    if (const auto why = needs_.refuse_consent(said)) {
      needs_.note_refused(*why);
      return fail(ErrorCode::refused, *why);
    }
    const bool pending =
        !message.confirm || message.confirm->by != contract::Confirmation::By::witness;
    Given here{shared_.ids.next(), *purpose, step.at, said.record_id, pending, now.mono};
    json kept = record;
    kept[kPending] = pending;
    drafts.push_back({std::move(here), std::move(said), contract::dump(kept), !given});
  }
  return drafts;
}

// No key of the CRM signed these: that they were given here says the box's own seal, which nobody
// makes without the box's key. What withdraws a record of the CRM withdraws them, too.
void Desk::load(const Now& now) {
  const auto rows = shared_.store.people().desk_consents();
  if (!rows) throw std::runtime_error("cannot read who consented here: " + rows.error().message);
  for (const auto& row : *rows) {
    const auto item = contract::decode_item(contract::Collection::consents, row.record);
    if (!item) continue;
    const auto& record = std::get<ConsentRecord>(*item);
    if (!needs_.refuse_consent(record)) shared_.pipeline.gate_for_loading().put(record);
    const json kept = json::parse(row.record, nullptr, false);
    given_[row.customer].push_back(
        {row.id, record.purpose, row.at, record.record_id, kept.value(kPending, false), now.mono});
  }
}

// What is not on the disk was not agreed to: nobody can show it later.
void Desk::put_back(const std::vector<ConsentRecord>& before, const Now& now) {
  Effects effects;
  for (const ConsentRecord& record : before) {
    event::ConsentRemoved as_before{record.customer, record.purpose};
    if (!record.history.empty()) as_before.instead = record;
    effects.append(needs_.ask(as_before, now));
  }
  effects.consents.clear();  // to the disk and the audit trail nothing has changed
  if (const auto done = needs_.carry_out(std::move(effects), now); !done)
    return;  // as said already
}

std::vector<std::string> Desk::given_here(const CustomerId& customer, Purpose purpose) const {
  std::vector<std::string> ids;
  const auto found = given_.find(customer);
  if (found == given_.end()) return ids;
  for (const Given& desk : found->second) {
    if (desk.purpose == purpose) ids.push_back(desk.id);
  }
  return ids;
}

std::vector<std::string> Desk::superseded(const CustomerId& customer, Purpose purpose,
                                          const std::vector<ConsentStep>& history) const {
  std::vector<std::string> ids;
  const auto found = given_.find(customer);
  if (found == given_.end()) return ids;
  for (const Given& desk : found->second) {
    const bool has = std::any_of(history.begin(), history.end(), [&](const ConsentStep& step) {
      return step.state == ConsentState::given && step.at == desk.at;
    });
    if (desk.purpose == purpose && has) ids.push_back(desk.id);
  }
  return ids;
}

ConsentStanding Desk::standing_without_own(const CustomerId& customer, Purpose purpose) const {
  ConsentStanding known = shared_.pipeline.gate().standing(customer, purpose);
  if (given_here(customer, purpose).empty()) return known;
  const auto record = crm_record(customer, purpose);
  const ConsentStanding theirs = record ? standing(*record) : ConsentStanding{};
  known.given_at = theirs.given_at;
  known.expires_at = theirs.expires_at;
  return known;
}

std::vector<Desk::Recalled> Desk::written_into(const std::string& record) const {
  std::vector<Recalled> out;
  for (const auto& [customer, given] : given_) {
    for (const Given& desk : given) {
      if (desk.record == record) out.push_back({desk.id, customer, desk.purpose});
    }
  }
  return out;
}

void Desk::forget(const std::vector<std::string>& ids) {
  for (const std::string& id : ids) {
    for (auto& [customer, given] : given_) {
      std::erase_if(given, [&](const Given& desk) { return desk.id == id; });
    }
  }
  if (!ids.empty()) {
    std::erase_if(given_, [](const auto& entry) { return entry.second.empty(); });
  }
}

Result<void> Desk::take_back(const CustomerId& customer, const std::vector<MessageId>& events,
                             contract::Command::Reason why, const Now& now) {
  const auto found = given_.find(customer);
  if (found == given_.end()) return {};
  std::vector<Given> back;
  std::copy_if(found->second.begin(), found->second.end(), std::back_inserter(back),
               [&](const Given& desk) {
                 return std::find(events.begin(), events.end(), MessageId(desk.id)) != events.end();
               });
  for (const Given& desk : back) {
    if (auto stored = take_back(customer, desk, now); !stored) return stored;
    tell_confirmation({desk.id}, taken_back_for(why), now);
    forget(std::vector{desk.id});
  }
  return {};
}

// Whoever pledged twice still waits for the other answer; otherwise the CRM's own record stands
// again.
Result<void> Desk::take_back(const CustomerId& customer, const Given& given, const Now& now) {
  const auto remove = [&](store::Tx& tx) { tx.people().remove_desk_consent(given.id); };
  if (given_here(customer, given.purpose).size() > 1) {
    return shared_.store.transaction(remove);
  }
  return needs_.decide_by(
      "crm", event::ConsentRemoved{customer, given.purpose, crm_record(customer, given.purpose)},
      now, remove);
}

// A customer whose visit is over, or who was never heard, has had the time to confirm.
void Desk::end_pending(const Now& now) {
  std::map<CustomerId, std::vector<MessageId>> over;
  for (const auto& [customer, given] : given_) {
    for (const Given& desk : given) {
      if (desk.pending && now.mono - desk.since > kPendingAlone)
        over[customer].emplace_back(desk.id);
    }
  }
  if (over.empty()) return;
  for (const auto& visit : shared_.pipeline.visits()) over.erase(visit.customer);
  for (const auto& [customer, ids] : over) {
    const auto ended = take_back(customer, ids, contract::Command::Reason::expired, now);
    if (!ended) needs_.store_failed(ended.error());
  }
}

// What the CRM signed of this purpose, whatever the desk wrote down since.
std::optional<ConsentRecord> Desk::crm_record(const CustomerId& customer, Purpose purpose) const {
  const auto known = shared_.store.replica().of_customer(store::Collection::consents, customer);
  if (!known) return std::nullopt;
  for (const auto& item : *known) {
    const auto decoded = contract::decode_item(contract::Collection::consents, item.body);
    if (!decoded) continue;
    const auto& record = std::get<ConsentRecord>(*decoded);
    if (record.purpose == purpose) return record;
  }
  return std::nullopt;
}

void Desk::drop_old(const AgreedTime& agreed, const Now& now) {
  std::vector<std::pair<CustomerId, Given>> old;
  for (const auto& [customer, given] : given_) {
    for (const Given& desk : given) {
      if (agreed.wall() - desk.at > shared_.pipeline.policy().consent_max_age)
        old.emplace_back(customer, desk);
    }
  }
  for (const auto& [customer, desk] : old) {
    if (take_back(customer, desk, now)) forget(std::vector{desk.id});
  }
}

void Desk::tell_tablet(const Place& place, contract::EnrolMessage message, const Now& now) {
  message.id = MessageId(shared_.ids.next());
  message.tablet = place.tablet;
  message.session = place.session;
  message.from_box = true;
  message.at = now.wall;
  // A tablet that is away asks again: nothing of this is kept.
  shared_.ports.publish(contract::encode_enrol(message), 0, kWordExpires);
}

}  // namespace welcome::daemon
