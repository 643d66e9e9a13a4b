// The part of the Engine that takes consent at the desk and makes templates, for welcomectl and for
// the tablets.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <utility>

#include "contract/items.h"
#include "contract/message.h"
#include "firmware/daemon/engine.h"
#include "firmware/daemon/outbox_kinds.h"

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto kEnrolmentPatience = 60s;
// A tablet gives up after 15 s without a word.
constexpr auto kCameraPatience = 8s;
constexpr auto kWordEvery = 3s;
constexpr auto kWordExpires = 15s;  // guidance of a while ago is about somebody else's face

// Of the face that somebody has on different days; more often than that it is the same day's light.
constexpr auto kAgeingEvery = 20h;
// What a consent to face recognition calls templates that follow her looks.
constexpr std::string_view kAgeing = "face_template_ageing";

bool names_ageing(const ConsentRecord& record) {
  return record.purpose == Purpose::face_recognition &&
         std::find(record.data_categories.begin(), record.data_categories.end(), kAgeing) !=
             record.data_categories.end();
}

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
json desk_record(const std::vector<store::FeedItem>& hers, const contract::BoxAddress& box,
                 const CustomerId& customer, Purpose purpose, const ConsentNotice& notice,
                 WallTime at) {
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
  record["notice"] = {
      {"id", notice.id}, {"version", notice.version}, {"language", notice.language}};
  record["history"].push_back(
      {{"state", "given"}, {"at", contract::to_rfc3339(at)}, {"how", "desk"}});
  return record;
}

}  // namespace

// ---- consent at the desk ----

void Engine::on_enrol(const contract::EnrolMessage& message, const Now& now) {
  if (message.from_box) return;  // our own words come back
  using Kind = contract::EnrolMessage::Kind;
  if (message.kind == Kind::stop) {
    cancel_enrolments(message.session);
    return;
  }
  Result<void> done;
  if (message.kind == Kind::consent) {
    done = desk_consent(message, now);
    const auto face = message.purposes.find(std::string(to_string(Purpose::face_recognition)));
    // With face recognition the tablet goes on to the camera.
    if (done && (face == message.purposes.end() || !face->second)) {
      tell_tablet(message.session, done_with(0), now);
    }
  } else if (message.kind == Kind::start) {
    done = enrol_for_tablet(message, now);
  }
  if (!done) {
    tell_tablet(message.session, failed_for(done.error().message), now);
  }
}

Result<void> Engine::desk_consent(const contract::EnrolMessage& message, const Now& now) {
  if (!now.wall_trusted) {
    return fail(ErrorCode::unavailable, "the box does not know the time yet");
  }
  if (pipeline_.gate().forgotten(message.customer)) {
    return fail(ErrorCode::refused, "this member was erased and cannot be entered again");
  }
  if (!message.notice) return fail(ErrorCode::malformed, "consent without a notice");
  std::vector<Purpose> purposes;
  for (const auto& [name, given] : message.purposes) {
    const auto purpose = purpose_from_string(name);
    if (!purpose) return fail(ErrorCode::malformed, "unknown purpose");
    if (given) purposes.push_back(*purpose);
  }
  const auto hers = store_.replica().of_customer(store::Collection::consents, message.customer);
  if (!hers) return tl::unexpected(hers.error());

  struct Given {
    DeskConsent desk;
    ConsentRecord record;
    std::string text;
  };
  std::vector<Given> all;
  for (const Purpose purpose : purposes) {
    const json record =
        desk_record(*hers, settings_.box, message.customer, purpose, *message.notice, now.wall);
    auto decoded = contract::decode_item(contract::Collection::consents, record.dump());
    if (!decoded) return tl::unexpected(decoded.error());
    auto& said = std::get<ConsentRecord>(*decoded);
    if (const auto why = refuse_consent(said)) {
      note_refused(*why);
      return fail(ErrorCode::refused, *why);
    }
    all.push_back({{ids_.next(), purpose, now.wall}, std::move(said), record.dump()});
  }
  event::ConsentChanged change;
  for (const Given& given : all) change.records.push_back(given.record);
  const bool staffed = !message.staff.empty();
  consent_by_ = staffed ? "staff:" + message.staff.str() : "desk";
  decide(change, now, [&] {
    for (const Given& given : all) {
      (void)store_.people().add_desk_consent(
          {given.desk.id, message.customer, now.wall, given.text});
      contract::ConsentNews news;
      news.purpose = given.desk.purpose;
      news.given = true;
      news.at = now.wall;
      news.record_id = given.record.record_id;
      news.notice = message.notice;
      enqueue(contract::encode_event(
                  settings_.box,
                  {MessageId(given.desk.id), now.wall, message.customer, std::move(news), {}}),
              kind::kConsent, given.desk.id, {}, {}, now);
    }
  });
  consent_by_ = "crm";
  for (Given& given : all) {
    desk_consents_[message.customer].push_back(std::move(given.desk));
  }
  return {};
}

// No key of the CRM signed these: that they were given here says the box's own seal, which nobody
// makes without the box's key. What withdraws a record of the CRM withdraws them, too.
void Engine::load_desk_consents() {
  const auto rows = store_.people().desk_consents();
  if (!rows) throw std::runtime_error("cannot read who consented here: " + rows.error().message);
  for (const auto& row : *rows) {
    const auto item = contract::decode_item(contract::Collection::consents, row.record);
    if (!item) continue;
    const auto& record = std::get<ConsentRecord>(*item);
    if (!refuse_consent(record)) pipeline_.gate_for_loading().put(record);
    desk_consents_[row.customer].push_back({row.id, record.purpose, row.at});
  }
}

// The CRM's record has the step, or the record is gone: ours has done its service.
void Engine::desk_consent_superseded(const CustomerId& customer, Purpose purpose,
                                     const std::vector<ConsentStep>* history) {
  const auto found = desk_consents_.find(customer);
  if (found == desk_consents_.end()) return;
  std::erase_if(found->second, [&](const DeskConsent& desk) {
    if (desk.purpose != purpose) return false;
    if (history != nullptr &&
        std::none_of(history->begin(), history->end(), [&](const ConsentStep& step) {
          return step.state == ConsentState::given && step.at == desk.at;
        })) {
      return false;
    }
    (void)store_.people().remove_desk_consent(desk.id);
    return true;
  });
  if (found->second.empty()) desk_consents_.erase(found);
}

// A consent that the CRM never confirmed was given in the name of somebody it does not know.
void Engine::drop_old_desk_consents(const Now& now) {
  struct Old {
    CustomerId customer;
    Purpose purpose;
  };
  std::vector<Old> old;
  for (const auto& [customer, given] : desk_consents_) {
    for (const DeskConsent& desk : given) {
      if (now.wall - desk.at > pipeline_.policy().consent_max_age)
        old.push_back({customer, desk.purpose});
    }
  }
  for (const Old& which : old) {
    decide(event::ConsentRemoved{which.customer, which.purpose}, now,
           [&] { desk_consent_superseded(which.customer, which.purpose, nullptr); });
  }
}

// ---- templates ----

Result<void> Engine::enrol(const CustomerId& customer, const std::string& clip, const Now& now,
                           std::function<void(const std::string&)> progress,
                           std::function<void(Result<json>)> done) {
  EnrolJob job;
  job.customer = customer;
  job.by = "technician";
  job.live = clip.empty();
  job.progress = [progress = std::move(progress)](vision::Guidance guidance, int, const Now&) {
    progress(std::string(vision::to_string(guidance)));
  };
  job.done = [done = std::move(done), model = settings_.face_model.name()](Result<int> views,
                                                                           const Now&) {
    if (views) {
      done(json{{"templates", *views}, {"model", model}});
    } else {
      done(tl::unexpected(views.error()));
    }
  };
  return begin_enrolment(std::move(job), clip, now);
}

Result<void> Engine::enrol_for_tablet(const contract::EnrolMessage& message, const Now& now) {
  cancel_enrolments(message.session);
  EnrolJob job;
  job.customer = message.customer;
  job.session = message.session;
  job.staff = message.staff;
  job.by = "staff:" + message.staff.str();
  job.progress = [this, session = message.session, hint = std::string("?"), views = 0,
                  told = MonoTime{}](vision::Guidance guidance, int have, const Now& at) mutable {
    const std::string_view wanted = hint_of(guidance, have);
    if (wanted == hint && have == views && at.mono - told < kWordEvery) return;
    hint = wanted;
    views = have;
    told = at.mono;
    tell_tablet(session, guide_with(hint, have, settings_.enrolment.views), at);
  };
  job.done = [this, session = message.session](Result<int> views, const Now& at) {
    tell_tablet(session, views ? done_with(*views) : failed_for(views.error().message), at);
  };
  return begin_enrolment(std::move(job), {}, now);
}

Result<void> Engine::begin_enrolment(EnrolJob job, const std::string& clip, const Now& now) {
  const auto consent = pipeline_.gate().face_consent(job.customer, now);
  if (!consent) {
    const auto verdict = pipeline_.gate().verdict(job.customer, Purpose::face_recognition, now);
    return fail(ErrorCode::refused,
                "no consent to face recognition: " + std::string(to_string(verdict)));
  }
  if (job.live && std::any_of(enrolments_.begin(), enrolments_.end(),
                              [](const auto& other) { return other.second.live; })) {
    return fail(ErrorCode::unavailable, "somebody else is being enrolled just now");
  }
  auto everybody = gallery_of(pipeline_.gate().loadable_faces(now), GalleryFor::enrolment);
  if (!everybody) return tl::unexpected(everybody.error());
  job.began = job.heard = now.mono;
  const auto id = next_job_++;
  enrolments_[id] = std::move(job);
  ports_.enrol(id, *consent, clip, std::move(*everybody));
  return {};
}

void Engine::cancel_enrolments(const std::string& session) {
  for (auto it = enrolments_.begin(); it != enrolments_.end();) {
    if (it->second.session != session) {
      ++it;
      continue;
    }
    ports_.stop_enrolment(it->first);
    it = enrolments_.erase(it);
  }
}

// Whatever happens to camera and customer, who waits for an answer gets one.
void Engine::end_late_enrolments(const Now& now) {
  std::vector<std::uint64_t> late;
  for (const auto& [id, job] : enrolments_) {
    if (job.live &&
        (now.mono - job.began > kEnrolmentPatience || now.mono - job.heard > kCameraPatience)) {
      late.push_back(id);
    }
  }
  for (const auto id : late) {
    const EnrolJob job = std::move(enrolments_.at(id));
    enrolments_.erase(id);
    ports_.stop_enrolment(id);
    job.done(fail(ErrorCode::not_found, now.mono - job.heard > kCameraPatience
                                            ? "the camera gives no pictures"
                                            : "not enough good views in a minute"),
             now);
  }
}

void Engine::on(const input::EnrolProgress& progress, const Now& now) {
  const auto job = enrolments_.find(progress.job);
  if (job == enrolments_.end()) return;
  job->second.heard = now.mono;
  job->second.progress(progress.guidance, progress.views, now);
}

void Engine::on(const input::Enrolled& enrolled, const Now& now) {
  const auto found = enrolments_.find(enrolled.job);
  if (found == enrolments_.end()) return;
  const EnrolJob job = std::move(found->second);
  enrolments_.erase(found);
  if (!enrolled.face) return job.done(tl::unexpected(enrolled.face.error()), now);
  // Seconds have gone by: the customer may have changed her mind.
  if (!pipeline_.gate().face_consent(job.customer, now)) {
    return job.done(fail(ErrorCode::refused, "the consent was withdrawn meanwhile"), now);
  }
  const int views = static_cast<int>(enrolled.face->templates.size());
  TemplateId first;
  const auto stored = store_.transaction([&] {
    (void)store_.people().remove_templates(job.customer);
    for (const auto& face : enrolled.face->templates) {
      TemplateId id(ids_.next());
      if (first.empty()) first = id;
      (void)store_.people().add_template(
          {std::move(id), job.customer, face.model(), now.wall, face.to_bytes()});
    }
    contract::EventMessage event{
        MessageId(ids_.next()),
        now.wall,
        job.customer,
        contract::EnrolmentNews{first, settings_.face_model.name(), views, job.staff.str()},
        {}};
    enqueue(contract::encode_event(settings_.box, event), kind::kEnrolment, first.str(), {}, {},
            now);
    (void)store_.audit().append(now, "enrolment", job.by, job.customer,
                                settings_.face_model.name());
  });
  if (!stored) {
    store_failed(stored.error());
    return job.done(tl::unexpected(stored.error()), now);
  }
  refresh_gallery(now);
  pump(contract::LinkName::uplink, now);
  job.done(views, now);
}

// ---- ageing ----

bool Engine::may_age(const CustomerId& customer) {
  const auto records = store_.replica().of_customer(store::Collection::consents, customer);
  if (!records) {
    store_failed(records.error());
    return false;
  }
  return std::any_of(records->begin(), records->end(), [](const store::FeedItem& stored) {
    const auto item = contract::decode_item(contract::Collection::consents, stored.body);
    return item && names_ageing(std::get<ConsentRecord>(*item));
  });
}

// The end of her visit takes it away again, so there must be one.
void Engine::note_view(const vision::FaceMatch& match) {
  if (!match.view) return;
  const auto visits = pipeline_.visits();
  if (std::any_of(visits.begin(), visits.end(), [&](const VisitView& visit) {
        return visit.in_store && visit.customer == match.customer;
      })) {
    views_.insert_or_assign(match.customer, *match.view);
  }
}

// Inside the transaction that ends the visit. Phone and face agreed on who she is, staff did not
// object, and she has left: her looks of this visit count a little.
void Engine::age_template(const VisitEvent& ended, const Now& now) {
  const bool confirmed = confirmed_.erase(ended.customer) > 0;
  const auto found = views_.find(ended.customer);
  if (found == views_.end()) return;
  const vision::FaceTemplate view = std::move(found->second);
  views_.erase(found);
  if (!confirmed || ended.ended_why != "left") return;
  const auto consent = pipeline_.gate().face_consent(ended.customer, now);
  if (!consent || !may_age(ended.customer)) return;
  const auto rows = store_.people().templates_of(ended.customer);
  if (!rows) return store_failed(rows.error());

  std::vector<vision::FaceTemplate> enrolled;
  std::optional<vision::FaceTemplate> before;
  int refuted = 0;
  WallTime created;  // it is kept as long as those it was made of
  for (const auto& row : *rows) {
    auto face = vision::FaceTemplate::from_bytes(row.bytes);
    if (!face || !face->fits(settings_.face_model)) continue;
    refuted = std::max(refuted, row.refuted);
    if (!row.aged) {
      enrolled.push_back(std::move(*face));
      created = row.created;
    } else if (now.wall - *row.aged < kAgeingEvery) {
      return;
    } else {
      before = std::move(*face);
    }
  }
  const auto& point = settings_.face_operating_point;
  const auto aged = vision::FaceTemplate::aged(*consent, settings_.face_model, enrolled,
                                               before ? &*before : nullptr, view,
                                               point.at(point.false_match_rate));
  if (!aged) return;
  (void)store_.people().remove_aged(ended.customer);
  (void)store_.people().add_template({TemplateId(ids_.next()), ended.customer, aged->model(),
                                      created, aged->to_bytes(), refuted, now.wall});
  (void)store_.audit().append(now, "enrolment", "box", ended.customer, "aged by a visit");
}

// Her newest word on face recognition says nothing of ageing.
void Engine::forget_ageing(const ConsentRecord& record) {
  if (record.purpose != Purpose::face_recognition || names_ageing(record)) return;
  views_.erase(record.customer);
  if (const auto gone = store_.people().remove_aged(record.customer); !gone) {
    store_failed(gone.error());
  }
}

void Engine::tell_tablet(const std::string& session, contract::EnrolMessage message,
                         const Now& now) {
  message.id = MessageId(ids_.next());
  message.session = session;
  message.from_box = true;
  message.at = now.wall;
  // A tablet that is away asks again: nothing of this is kept.
  (void)ports_.publish(contract::encode_enrol(message), 0, kWordExpires);
}

}  // namespace welcome::daemon
