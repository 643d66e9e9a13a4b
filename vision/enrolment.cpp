// SPDX-License-Identifier: Apache-2.0
#include "vision/enrolment.h"

#include <algorithm>
#include <opencv2/core.hpp>

namespace welcome::vision {

namespace {

// Too dark for a face to be found.
bool dark(const Image& image) {
  constexpr double kDark = 30;
  const cv::Scalar mean = cv::mean(image.mat());
  return (mean[0] + mean[1] + mean[2]) / 3 < kDark;
}

Guidance advice(Defect defect) {
  switch (defect) {
    case Defect::none:
      return Guidance::none;
    case Defect::too_small:
      return Guidance::closer;
    case Defect::too_dark:
      return Guidance::more_light;
    case Defect::too_bright:
      return Guidance::less_light;
    case Defect::blurred:
      return Guidance::hold_still;
    case Defect::covered:
      return Guidance::uncover;
    case Defect::turned_away:
      return Guidance::face_the_camera;
    case Defect::not_upright:
      return Guidance::upright;
  }
  return Guidance::none;
}

}  // namespace

Enrolment::Enrolment(const FaceConsent& consent, Recogniser& recogniser,
                     std::shared_ptr<const Gallery> everybody, EnrolmentOptions options)
    : consent_(consent),
      recogniser_(recogniser),
      everybody_(std::move(everybody)),
      options_(options) {}

// A view is taken although it may not come alive; the last word is finish()'s.
bool Enrolment::complete() const {
  if (other_customer_) return true;
  if (!enough()) return false;
  return !options_.require_liveness || liveness_.verdict() != Liveness::undecided ||
         judged_ >= options_.most_judged;
}

Guidance Enrolment::add(const Image& image) {
  if (complete()) return Guidance::done;
  const Guidance guidance = judge(image);
  obstacles_.add(guidance);
  return guidance;
}

Guidance Enrolment::judge(const Image& image) {
  auto faces = recogniser_.detect(image);
  if (faces.empty()) return dark(image) ? Guidance::more_light : Guidance::no_face;
  std::sort(faces.begin(), faces.end(),
            [](const Detection& a, const Detection& b) { return a.box.area() > b.box.area(); });
  // Somebody far behind does not disturb; two people side by side do.
  if (faces.size() > 1 && faces[1].box.area() > 0.25F * faces[0].box.area()) {
    return Guidance::several_faces;
  }
  Face face = recogniser_.locate(image, faces[0]);
  const Quality quality = measure_quality(face);
  const Defect defect = first_defect(quality, options_.limits);
  if (defect != Defect::none) {
    // A face on its head seems to look away.
    if (defect != Defect::turned_away || upright_) return advice(defect);
    recogniser_.embed(face);
    return recogniser_.turn_of(image, face) == 0 ? advice(defect) : Guidance::upright;
  }
  recogniser_.embed(face);
  if (face.embedding.empty()) return Guidance::face_the_camera;
  if (!upright_ && recogniser_.turn_of(image, face) != 0) return Guidance::upright;
  upright_ = true;
  float alike = -1;
  for (const Embedding& view : views_) {
    const float similarity = cosine(view, face.embedding);
    if (static_cast<double>(similarity) < recogniser_.pack().thresholds.fmr_1e3) {
      return Guidance::face_the_camera;
    }
    alike = std::max(alike, similarity);
  }
  // Only now: somebody else's life is not this face's.
  if (options_.require_liveness) {
    const auto score = recogniser_.liveness(image, face.box);
    // Too little around the face to judge it by.
    if (!score) return Guidance::further;
    liveness_.add(*score);
    ++judged_;
  }
  if (enough()) {
    return complete() ? Guidance::done : Guidance::none;  // only liveness was still open
  }
  if (alike > options_.too_alike) return Guidance::turn_a_little;
  if (recogniser_.cover_of(face) != Cover::none) return Guidance::uncover;
  if (everybody_) {
    const auto match = everybody_->match(face.embedding);
    if (match && static_cast<double>(match->similarity) >= everybody_->threshold() &&
        match->customer != consent_.customer()) {
      other_customer_ = true;
      return Guidance::done;
    }
  }
  views_.push_back(std::move(face.embedding));
  return complete() ? Guidance::done : Guidance::none;
}

EnrolmentResult Enrolment::finish() {
  if (other_customer_) return tl::unexpected(EnrolmentEnd::somebody_else);
  if (options_.require_liveness && liveness_.verdict() == Liveness::attack) {
    return tl::unexpected(EnrolmentEnd::picture);
  }
  if (!enough()) return tl::unexpected(obstacles_.worst());
  if (options_.require_liveness && liveness_.verdict() != Liveness::live) {
    return tl::unexpected(EnrolmentEnd::not_sure);
  }
  EnrolledFace result;
  result.customer = consent_.customer();
  for (const Embedding& view : views_) {
    result.templates.emplace_back(consent_, recogniser_.model(), view);
  }
  views_.clear();
  return result;
}

EnrolmentResult enrol(FrameSource& source, const FaceConsent& consent, Recogniser& recogniser,
                      std::shared_ptr<const Gallery> everybody, const EnrolmentOptions& options,
                      const std::function<void(Guidance)>& on_guidance) {
  Enrolment enrolment(consent, recogniser, std::move(everybody), options);
  std::optional<MonoTime> first;
  std::optional<MonoTime> last;
  while (!enrolment.complete()) {
    auto frame = source.next(std::chrono::milliseconds(500));
    if (!frame) {
      if (source.state() == SourceState::failed && !first) {
        return tl::unexpected(frame.error().code == ErrorCode::unavailable
                                  ? EnrolmentEnd::no_clip
                                  : EnrolmentEnd::no_video);
      }
      if (frame.error().code == ErrorCode::malformed) continue;
      if (source.state() == SourceState::ended || !first) break;
      continue;
    }
    if (!first) first = frame->at;
    if (frame->at - *first > options.patience) break;
    // Neighbouring frames show the same view.
    if (last && frame->at - *last < std::chrono::milliseconds(150)) continue;
    last = frame->at;
    const Guidance guidance = enrolment.add(frame->image);
    if (on_guidance) on_guidance(guidance);
  }
  source.close();
  if (!first) return tl::unexpected(EnrolmentEnd::no_pictures);
  return enrolment.finish();
}

}  // namespace welcome::vision
