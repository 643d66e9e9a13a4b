// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/desk.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "contract/items.h"
#include "contract/message.h"
#include "firmware/daemon/convert.h"

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto kEnrolmentPatience = 60s;
// A tablet gives up after 15 s without a word.
constexpr auto kCameraPatience = 8s;
constexpr auto kWordEvery = 3s;
constexpr auto kWordExpires = 15s;  // guidance of a while ago is about somebody else's face

// How the contract says it; what it has no word for is left to the picture on the tablet.
std::string_view hint_of(vision::Guidance guidance, int views) {
  switch (guidance) {
    case vision::Guidance::no_face:
    case vision::Guidance::face_the_camera:
    case vision::Guidance::upright:
      return "look_here";
    case vision::Guidance::several_faces:
      return "one_person";
    case vision::Guidance::closer:
      return "closer";
    case vision::Guidance::further:
      return "further";
    case vision::Guidance::hold_still:
      return "hold_still";
    case vision::Guidance::uncover:
      return "uncover";
    case vision::Guidance::more_light:
      return "more_light";
    case vision::Guidance::less_light:
      return "less_light";
    case vision::Guidance::turn_a_little:
      return views % 2 == 0 ? "turn_right" : "turn_left";
    case vision::Guidance::none:
    case vision::Guidance::done:
      break;
  }
  return "";
}

contract::EnrolMessage done_with(int views) {
  contract::EnrolMessage message;
  message.kind = contract::EnrolMessage::Kind::done;
  message.views = views;
  return message;
}

contract::EnrolMessage failed_for(std::string reason) {
  contract::EnrolMessage message;
  message.kind = contract::EnrolMessage::Kind::failed;
  message.reason = std::move(reason);
  return message;
}

contract::EnrolMessage failed_for(vision::EnrolmentEnd why) {
  contract::EnrolMessage message = failed_for(std::string(vision::sentence(why)));
  message.cause = vision::to_string(why);
  return message;
}

contract::EnrolMessage guide_with(std::string hint, int views, int needed) {
  contract::EnrolMessage message;
  message.kind = contract::EnrolMessage::Kind::guide;
  message.hint = std::move(hint);
  message.views = views;
  message.views_needed = needed;
  return message;
}

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

// ---- consent ----

void Desk::hear(const contract::EnrolMessage& message, const Now& now) {
  using Kind = contract::EnrolMessage::Kind;
  const Place place{message.tablet, message.session};
  if (message.kind == Kind::stop) {
    cancel(place);
    return;
  }
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
  std::vector<std::string> over;  // given here, and withdrawn here
  auto stored = needs_.decide_by(by, change, now, [&](store::Tx& tx) {
    for (const Draft& one : *drafts) {
      if (!one.withdrawal) {
        tx.people().add_desk_consent({one.given.id, message.customer, now.wall, one.text});
      } else {
        for (auto& id : superseded(message.customer, one.given.purpose, nullptr)) {
          tx.people().remove_desk_consent(id);
          over.push_back(std::move(id));
        }
      }
      contract::ConsentNews news;
      news.purpose = one.given.purpose;
      news.given = !one.withdrawal;
      news.at = one.given.at;
      news.record_id = one.record.record_id;
      news.staff = message.staff;
      if (!one.withdrawal) news.notice = message.notice;
      delivery_.tell_crm(tx,
                         {MessageId(one.given.id), now.wall, message.customer, std::move(news), {}},
                         OutboxKind::consent, one.given.id, now);
    }
  });
  if (!stored) {
    take_back(change, before, now);
    return stored;
  }
  forget(over);
  for (Draft& one : *drafts) {
    if (!one.withdrawal) given_[message.customer].push_back(std::move(one.given));
  }
  return {};
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
    auto decoded = contract::decode_item(contract::Collection::consents, record.dump());
    if (!decoded) return tl::unexpected(decoded.error());
    auto& said = std::get<ConsentRecord>(*decoded);
    if (const auto why = needs_.refuse_consent(said)) {
      needs_.note_refused(*why);
      return fail(ErrorCode::refused, *why);
    }
    Given here{shared_.ids.next(), *purpose, step.at, said.record_id};
    drafts.push_back({std::move(here), std::move(said), record.dump(), !given});
  }
  return drafts;
}

// No key of the CRM signed these: that they were given here says the box's own seal, which nobody
// makes without the box's key. What withdraws a record of the CRM withdraws them, too.
void Desk::load() {
  const auto rows = shared_.store.people().desk_consents();
  if (!rows) throw std::runtime_error("cannot read who consented here: " + rows.error().message);
  for (const auto& row : *rows) {
    const auto item = contract::decode_item(contract::Collection::consents, row.record);
    if (!item) continue;
    const auto& record = std::get<ConsentRecord>(*item);
    if (!needs_.refuse_consent(record)) shared_.pipeline.gate_for_loading().put(record);
    given_[row.customer].push_back({row.id, record.purpose, row.at, record.record_id});
  }
}

// What is not on the disk was not agreed to: nobody can show it later.
void Desk::take_back(const event::ConsentChanged& change, const std::vector<ConsentRecord>& before,
                     const Now& now) {
  Effects effects;
  for (const ConsentRecord& record : change.records) {
    effects.append(needs_.ask(event::ConsentRemoved{record.customer, record.purpose}, now));
  }
  event::ConsentChanged as_before{before};
  std::erase_if(as_before.records,
                [](const ConsentRecord& record) { return record.history.empty(); });
  effects.append(needs_.ask(as_before, now));
  effects.consents.clear();  // to the disk and the audit trail nothing has changed
  if (const auto done = needs_.carry_out(std::move(effects), now); !done)
    return;  // as said already
}

// The CRM's record has the step, or the record is gone: ours has done its service.
std::vector<std::string> Desk::superseded(const CustomerId& customer, Purpose purpose,
                                          const std::vector<ConsentStep>* history) const {
  std::vector<std::string> ids;
  const auto found = given_.find(customer);
  if (found == given_.end()) return ids;
  for (const Given& desk : found->second) {
    if (desk.purpose != purpose) continue;
    if (history == nullptr ||
        std::any_of(history->begin(), history->end(), [&](const ConsentStep& step) {
          return step.state == ConsentState::given && step.at == desk.at;
        })) {
      ids.push_back(desk.id);
    }
  }
  return ids;
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
                             const Now& now) {
  const auto found = given_.find(customer);
  if (found == given_.end()) return {};
  std::vector<Given> back;
  std::copy_if(found->second.begin(), found->second.end(), std::back_inserter(back),
               [&](const Given& desk) {
                 return std::find(events.begin(), events.end(), MessageId(desk.id)) != events.end();
               });
  for (const Given& desk : back) {
    const auto record = crm_record(customer, desk.purpose);
    const Event change = record && standing(*record).given()
                             ? Event(event::ConsentChanged{{*record}})
                             : Event(event::ConsentRemoved{customer, desk.purpose});
    auto stored = needs_.decide_by(
        "crm", change, now, [&](store::Tx& tx) { tx.people().remove_desk_consent(desk.id); });
    if (!stored) return stored;
    forget(std::vector{desk.id});
  }
  return {};
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
  struct Old {
    CustomerId customer;
    Purpose purpose;
  };
  std::vector<Old> old;
  for (const auto& [customer, given] : given_) {
    for (const Given& desk : given) {
      if (agreed.wall() - desk.at > shared_.pipeline.policy().consent_max_age)
        old.push_back({customer, desk.purpose});
    }
  }
  for (const Old& which : old) {
    const auto ids = superseded(which.customer, which.purpose, nullptr);
    const auto stored = needs_.decide_by(
        "crm", event::ConsentRemoved{which.customer, which.purpose}, now, [&](store::Tx& tx) {
          for (const auto& id : ids) tx.people().remove_desk_consent(id);
        });
    if (stored) forget(ids);
  }
}

// ---- enrolment ----

Result<void> Desk::enrol(const CustomerId& customer, Clip clip, const Now& now,
                         std::function<void(const std::string&)> progress,
                         std::function<void(Outcome)> done) {
  Job job;
  job.customer = customer;
  job.by = "technician";
  job.live = clip == nullptr;
  job.progress = [progress = std::move(progress)](vision::Guidance guidance, int, const Now&) {
    progress(std::string(vision::to_string(guidance)));
  };
  job.done = [done = std::move(done)](Outcome views, const Now&) { done(views); };
  return begin(std::move(job), std::move(clip), now);
}

Result<void> Desk::begin(Job job, Clip clip, const Now& now) {
  const ConsentGate& gate = shared_.pipeline.gate();
  const auto consent = gate.face_consent(job.customer, now);
  if (!consent) {
    const auto verdict = gate.verdict(job.customer, Purpose::face_recognition, now);
    return fail(ErrorCode::refused,
                "no consent to face recognition: " + std::string(to_string(verdict)));
  }
  if (job.live && std::any_of(jobs_.begin(), jobs_.end(),
                              [](const auto& other) { return other.second.live; })) {
    return fail(ErrorCode::unavailable, "somebody else is being enrolled just now");
  }
  auto everybody = faces_.everybody(now);
  if (!everybody) return tl::unexpected(everybody.error());
  job.began = job.heard = now.mono;
  const auto id = next_job_++;
  jobs_[id] = std::move(job);
  shared_.ports.enrol(id, *consent, std::move(clip), std::move(*everybody));
  return {};
}

void Desk::enrol_progress(std::uint64_t id, vision::Guidance guidance, int views, const Now& now) {
  const auto job = jobs_.find(id);
  if (job == jobs_.end()) return;
  job->second.heard = now.mono;
  job->second.obstacles.add(guidance);
  job->second.progress(guidance, views, now);
}

void Desk::enrolled(std::uint64_t id, const vision::EnrolmentResult& face, const Now& now) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  const Job job = std::move(found->second);
  jobs_.erase(found);
  if (!face) return job.done(tl::unexpected(face.error()), now);
  // Seconds have gone by: the customer may have had second thoughts.
  if (!shared_.pipeline.gate().face_consent(job.customer, now)) {
    return job.done(tl::unexpected(vision::EnrolmentEnd::withdrawn), now);
  }
  if (const auto stored = store_face(job, *face, now); !stored) {
    needs_.store_failed(stored.error());
    return job.done(tl::unexpected(vision::EnrolmentEnd::not_stored), now);
  }
  faces_.refresh(now);
  delivery_.pump(contract::LinkName::uplink, now);
  job.done(static_cast<int>(face->templates.size()), now);
}

Result<void> Desk::store_face(const Job& job, const vision::EnrolledFace& face, const Now& now) {
  return shared_.store.transaction([&](store::Tx& tx) {
    tx.people().remove_templates(job.customer);
    TemplateId first;
    for (const auto& view : face.templates) {
      TemplateId id(shared_.ids.next());
      if (first.empty()) first = id;
      tx.people().add_template(
          {std::move(id), job.customer, view.model(), now.wall, view.to_bytes()});
    }
    contract::EnrolmentNews news{first, shared_.settings.face_model.name(),
                                 static_cast<int>(face.templates.size()), job.staff.str()};
    delivery_.tell_crm(tx,
                       {MessageId(shared_.ids.next()), now.wall, job.customer, std::move(news), {}},
                       OutboxKind::enrolment, first.str(), now);
    tx.audit().append(now, "enrolment", job.by, job.customer, shared_.settings.face_model.name());
  });
}

Result<void> Desk::enrol_for_tablet(const contract::EnrolMessage& message, const Now& now) {
  const Place place{message.tablet, message.session};
  cancel(place);
  Job job;
  job.customer = message.customer;
  job.tablet = message.tablet;
  job.session = message.session;
  job.staff = message.staff;
  job.by = "staff:" + message.staff.str();
  job.progress = [this, place, hint = std::string("?"), views = 0, told = MonoTime{}](
                     vision::Guidance guidance, int have, const Now& at) mutable {
    const std::string_view wanted = hint_of(guidance, have);
    if (wanted == hint && have == views && at.mono - told < kWordEvery) return;
    hint = wanted;
    views = have;
    told = at.mono;
    tell_tablet(place, guide_with(hint, have, shared_.settings.enrolment.views), at);
  };
  job.done = [this, place](Outcome views, const Now& at) {
    tell_tablet(place, views ? done_with(*views) : failed_for(views.error()), at);
  };
  return begin(std::move(job), {}, now);
}

template <class Wanted>
void Desk::cancel_if(const Wanted& wanted) {
  for (auto it = jobs_.begin(); it != jobs_.end();) {
    if (!wanted(it->second)) {
      ++it;
      continue;
    }
    shared_.ports.stop_enrolment(it->first);
    it = jobs_.erase(it);
  }
}

void Desk::cancel(const Place& place) {
  cancel_if(
      [&](const Job& job) { return job.tablet == place.tablet && job.session == place.session; });
}

void Desk::cancel(const std::string& tablet) {
  cancel_if([&](const Job& job) { return job.tablet == tablet; });
}

// Whatever happens to camera and customer, who waits for an answer gets one.
void Desk::end_late_enrolments(const Now& now) {
  std::vector<std::uint64_t> late;
  for (const auto& [id, job] : jobs_) {
    if (job.live &&
        (now.mono - job.began > kEnrolmentPatience || now.mono - job.heard > kCameraPatience)) {
      late.push_back(id);
    }
  }
  for (const auto id : late) {
    const Job job = std::move(jobs_.at(id));
    jobs_.erase(id);
    shared_.ports.stop_enrolment(id);
    job.done(
        tl::unexpected(now.mono - job.heard > kCameraPatience ? vision::EnrolmentEnd::no_pictures
                                                              : job.obstacles.worst()),
        now);
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
