// SPDX-License-Identifier: Apache-2.0
#pragma once
// Enrolment: from a short clip to sealed-to-be templates. There is no way from a frame to a
// template without a FaceConsent, which only the consent gate makes.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "core/sighting.h"
#include "vision/face_template.h"
#include "vision/frame_source.h"
#include "vision/gallery.h"
#include "vision/liveness.h"
#include "vision/quality.h"
#include "vision/recogniser.h"

namespace welcome::vision {

struct EnrolmentOptions {
  int views = 3;                  // templates to make
  bool require_liveness = false;  // refuse what looks like a picture or cannot be judged
  int most_judged = 12;           // views to judge liveness by, at most, while it is open
  QualityLimits limits{.min_size_px = 60, .min_part_contrast = 6};
  // A further view must be less like the others than this, and more than strangers are in one case
  // of a thousand.
  float too_alike = 0.95F;
  std::chrono::milliseconds patience{60000};  // of the clip's time
};

// What to tell the customer, one word at a time; to_string() gives the sentence for the tablet.
enum class Guidance : std::uint8_t {
  none,  // a good view was taken
  no_face,
  several_faces,
  closer,
  further,
  hold_still,
  uncover,
  upright,  // the camera hangs upside down or on its side
  more_light,
  less_light,
  face_the_camera,
  turn_a_little,  // as good as the last one: another view is wanted
  done,
};
std::string_view to_string(Guidance guidance);

// Why an enrolment ended without templates. to_string() is the contract's word, sentence() for
// people.
enum class EnrolmentEnd : std::uint8_t {
  no_clip,      // no such file, or not to be read
  no_video,     // not a video that can be decoded here
  no_pictures,  // it has none that is whole, or the camera gives none
  no_camera,
  nobody,
  several_people,
  too_far,
  too_near,
  too_dark,
  too_bright,
  covered,
  turned_away,
  not_upright,  // the camera
  unsteady,
  same_view,  // every view as good as one
  too_short,  // nothing stood in the way, it was over too soon
  picture,    // of a person, not a person
  not_sure,   // whether it is one
  somebody_else,
  withdrawn,  // the consent, meanwhile
  not_stored,
};
std::string_view to_string(EnrolmentEnd end);
std::string_view sentence(EnrolmentEnd end);

// What stood in the way most often since the last good view.
class Obstacles {
 public:
  void add(Guidance guidance);
  EnrolmentEnd worst() const;

 private:
  std::map<EnrolmentEnd, int> times_;
};

struct EnrolledFace {
  CustomerId customer;
  std::vector<FaceTemplate> templates;
};

using EnrolmentResult = tl::expected<EnrolledFace, EnrolmentEnd>;

class Enrolment {
 public:
  // `everybody` = all enrolled templates of people with consent (not only those near), to refuse a
  // face that is enrolled under another customer. May be null. The recogniser outlives this.
  Enrolment(const FaceConsent& consent, Recogniser& recogniser,
            std::shared_ptr<const Gallery> everybody, EnrolmentOptions options = {});

  Guidance add(const Image& image);
  // With enough views it goes on as long as it cannot tell whether a person is there.
  bool complete() const;
  int views() const { return static_cast<int>(views_.size()); }

  EnrolmentResult finish();

 private:
  Guidance judge(const Image& image);
  bool enough() const { return views() >= options_.views; }

  FaceConsent consent_;
  Recogniser& recogniser_;
  std::shared_ptr<const Gallery> everybody_;
  EnrolmentOptions options_;
  std::vector<Embedding> views_;
  LivenessVote liveness_;
  int judged_ = 0;        // views that liveness was asked of
  bool upright_ = false;  // the first view stood
  Obstacles obstacles_;
  bool other_customer_ = false;
};

// Runs an Enrolment over a source until it is complete, the source ends or patience is over.
EnrolmentResult enrol(FrameSource& source, const FaceConsent& consent, Recogniser& recogniser,
                      std::shared_ptr<const Gallery> everybody,
                      const EnrolmentOptions& options = {},
                      const std::function<void(Guidance)>& on_guidance = {});

}  // namespace welcome::vision
