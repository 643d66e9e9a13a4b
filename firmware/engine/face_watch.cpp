// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/face_watch.h"

#include <algorithm>
#include <utility>

#include "contract/items.h"
#include "firmware/engine/convert.h"

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;

// Of the face that somebody has on different days; more often than that it is the same day's light.
constexpr auto kAgeingEvery = 20h;

}  // namespace

bool FaceWatch::looks_for_all(const Now& now) {
  switch (shared_.settings.camera_wake) {
    case CameraWake::nearby:
      return false;
    case CameraWake::always:
      return true;
    case CameraWake::hours:
      break;
  }
  if (!now.wall_trusted) return false;
  if (const auto& zone = shared_.pipeline.policy().time_zone; zone != clock_zone_) {
    clock_zone_ = zone;
    clock_ = StoreClock::open(zone).value_or(StoreClock());
  }
  return within(shared_.settings.camera_hours, clock_.local(now.wall).time);
}

Result<std::shared_ptr<const vision::Gallery>> FaceWatch::gallery_of(
    const std::vector<FaceConsent>& consents, GalleryFor use) {
  vision::Gallery::Builder builder(shared_.settings.face_model,
                                   shared_.settings.face_operating_point);
  bool anybody = false;
  for (const FaceConsent& consent : consents) {
    const auto templates = shared_.store.people().templates_of(consent.customer());
    if (!templates) return tl::unexpected(templates.error());
    for (const auto& row : *templates) {
      const auto face = vision::FaceTemplate::from_bytes(row.bytes);
      if (face && builder.add(consent, *face, row.refuted)) anybody = true;
    }
    if (use == GalleryFor::cameras && !templates->empty() && may_age(consent.customer())) {
      builder.let_age(consent);
    }
  }
  return anybody ? std::move(builder).build(generation_) : nullptr;
}

void FaceWatch::refresh(const Now& now) {
  looking_for_all_ = looks_for_all(now);
  std::vector<FaceConsent> wanted;
  if (looking_for_all_) {
    wanted = shared_.pipeline.gate().loadable_faces(now);
  } else {
    for (const auto& customer : candidates_) {
      if (auto consent = shared_.pipeline.gate().face_consent(customer, now)) {
        wanted.push_back(std::move(*consent));
      }
    }
  }
  // Whatever happens, matches against the gallery before do not count any more.
  ++generation_;
  auto gallery = gallery_of(wanted, GalleryFor::cameras);
  if (!gallery) needs_.store_failed(gallery.error());
  shared_.ports.look_for(gallery ? std::move(*gallery) : nullptr);
}

bool FaceWatch::may_age(const CustomerId& customer) {
  const auto records = shared_.store.replica().of_customer(store::Collection::consents, customer);
  if (!records) {
    needs_.store_failed(records.error());
    return false;
  }
  return std::any_of(records->begin(), records->end(), [](const store::ReplicaItem& stored) {
    const auto item = contract::decode_item(contract::Collection::consents, stored.body);
    return item && names_ageing(std::get<ConsentRecord>(*item));
  });
}

// The end of the visit takes it away again, so there must be one.
void FaceWatch::note_view(const vision::FaceMatch& match) {
  if (!match.view) return;
  const auto visits = shared_.pipeline.visits();
  if (std::any_of(visits.begin(), visits.end(), [&](const VisitView& visit) {
        return visit.in_store && visit.customer == match.customer;
      })) {
    views_.insert_or_assign(match.customer, *match.view);
  }
}

void FaceWatch::tick(const Now& now) {
  if (looks_for_all(now) != looking_for_all_) refresh(now);
}

Result<std::shared_ptr<const vision::Gallery>> FaceWatch::everybody(const Now& now) {
  return gallery_of(shared_.pipeline.gate().loadable_faces(now), GalleryFor::enrolment);
}

std::optional<FaceWatch::Templates> FaceWatch::templates_of(const CustomerId& customer) {
  const auto rows = shared_.store.people().templates_of(customer);
  if (!rows) {
    needs_.store_failed(rows.error());
    return std::nullopt;
  }
  Templates found;
  for (const auto& row : *rows) {
    auto face = vision::FaceTemplate::from_bytes(row.bytes);
    if (!face || !face->fits(shared_.settings.face_model)) continue;
    found.refuted = std::max(found.refuted, row.refuted);
    if (row.aged) {
      found.aged = std::move(*face);
      found.aged_at = row.aged;
    } else {
      found.enrolled.push_back(std::move(*face));
      found.created = row.created;
    }
  }
  return found;
}

// Phone and face agreed on who it is, staff did not object, and the customer has left: the looks of
// this visit count a little.
void FaceWatch::visit_ended(store::Tx& tx, const VisitEvent& ended, const Now& now) {
  const CustomerId& customer = ended.customer;
  const bool confirmed = confirmed_.erase(customer) > 0;
  const auto found = views_.find(customer);
  if (found == views_.end()) return;
  const vision::FaceTemplate view = std::move(found->second);
  views_.erase(found);
  if (!confirmed || ended.ended_why != "left") return;
  const auto consent = shared_.pipeline.gate().face_consent(customer, now);
  if (!consent || !may_age(customer)) return;
  const auto has = templates_of(customer);
  if (!has || (has->aged_at && now.wall - *has->aged_at < kAgeingEvery)) return;
  const auto& point = shared_.settings.face_operating_point;
  const auto aged = vision::FaceTemplate::aged(*consent, shared_.settings.face_model, has->enrolled,
                                               has->aged ? &*has->aged : nullptr, view,
                                               point.at(point.false_match_rate));
  if (!aged) return;
  tx.people().remove_aged(customer);
  // It is kept as long as those it was made of.
  tx.people().add_template({TemplateId(shared_.ids.next()), customer, aged->model(), has->created,
                            aged->to_bytes(), has->refuted, now.wall});
  tx.audit().append(now, "enrolment", "box", customer, "aged by a visit");
}

}  // namespace welcome::daemon
