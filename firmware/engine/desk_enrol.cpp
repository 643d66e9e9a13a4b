// SPDX-License-Identifier: Apache-2.0
// The part of Desk that enrols faces.

#include <algorithm>
#include <utility>

#include "firmware/engine/desk.h"
#include "firmware/engine/enrol_words.h"

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;

constexpr auto kEnrolmentPatience = 60s;
// A tablet gives up after 15 s without a word.
constexpr auto kCameraPatience = 8s;
constexpr auto kWordEvery = 3s;

}  // namespace

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
  job.place = place;
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
  cancel_if([&](const Job& job) { return job.place == place; });
}

void Desk::cancel(const std::string& tablet) {
  cancel_if([&](const Job& job) { return job.place.tablet == tablet; });
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

}  // namespace welcome::daemon
