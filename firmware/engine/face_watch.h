// SPDX-License-Identifier: Apache-2.0
#pragma once
// FaceWatch: whom the cameras look for, and templates that follow looks where the customer agreed
// to it. Engine thread only.

#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/store_clock.h"
#include "firmware/engine/shared.h"
#include "vision/face_match.h"
#include "vision/gallery.h"

namespace welcome::daemon {

class FaceWatch {
 public:
  struct Needs {
    virtual ~Needs() = default;
    virtual void store_failed(const Error& error) = 0;
  };
  FaceWatch(Shared& shared, Needs& needs) : shared_(shared), needs_(needs) {}

  void set_candidates(std::vector<CustomerId> near) { candidates_ = std::move(near); }
  // A new gallery for the cameras. Matches against the one before do not count any more.
  void refresh(const Now& now);
  // At the hours when cameras begin or end to look for everybody.
  void tick(const Now& now);
  bool is_current(const vision::FaceMatch& match) const { return match.generation == generation_; }

  // Everybody enrolled, for an enrolment, which asks who somebody already is.
  Result<std::shared_ptr<const vision::Gallery>> everybody(const Now& now);

  // The view of a match, to learn from when the visit ends.
  void note_view(const vision::FaceMatch& match);
  void forget_view(const CustomerId& customer) { views_.erase(customer); }
  // In the transaction of the visit's event.
  void visit_confirmed(const CustomerId& customer) { confirmed_.insert(customer); }
  void visit_ended(store::Tx& tx, const VisitEvent& ended, const Now& now);

 private:
  // Only in the cameras' gallery do templates age.
  enum class GalleryFor : std::uint8_t { cameras, enrolment };
  bool looks_for_all(const Now& now);
  // Null if nobody of them has a template of our model.
  Result<std::shared_ptr<const vision::Gallery>> gallery_of(
      const std::vector<FaceConsent>& consents, GalleryFor use);
  bool may_age(const CustomerId& customer);
  struct Templates {
    std::vector<vision::FaceTemplate> enrolled;
    std::optional<vision::FaceTemplate> aged;
    std::optional<WallTime> aged_at;
    int refuted = 0;
    WallTime created;
  };
  std::optional<Templates> templates_of(const CustomerId& customer);

  Shared& shared_;
  Needs& needs_;
  std::vector<CustomerId> candidates_;  // near, and consenting
  std::uint64_t generation_ = 0;
  bool looking_for_all_ = false;
  // What those look like who are here and agreed that their templates follow it.
  std::unordered_map<CustomerId, vision::FaceTemplate> views_;
  std::unordered_set<CustomerId> confirmed_;  // phone and face agreed, in this visit
  StoreClock clock_;
  std::string clock_zone_;
};

}  // namespace welcome::daemon
