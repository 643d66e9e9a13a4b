// SPDX-License-Identifier: Apache-2.0
// In place of all that sees, where WELCOME_VISION is off: a box that only hears. Galleries,
// templates and words are there as always; a camera or a clip is refused with a reason.

#include <stdexcept>
#include <utility>

#include "vision/camera_worker.h"
#include "vision/enrolment.h"
#include "vision/model_pack.h"
#include "vision/turned_source.h"

namespace welcome::vision {

namespace {

[[noreturn]] void refuse() {
  throw std::runtime_error(
      "this build cannot see: leave the cameras out of the configuration, or build with "
      "WELCOME_VISION");
}

}  // namespace

ModelPack load_model_pack(const std::filesystem::path&, const std::string&) {
  ModelPack pack;
  pack.name = "none";
  return pack;
}
std::vector<AbsentPack> absent_packs(const std::filesystem::path&) { return {}; }

struct Recogniser::Impl {};
Recogniser::Recogniser(const ModelPack&) { refuse(); }

struct CameraWorker::Impl {};
CameraWorker::CameraWorker(AnalyserOptions, std::unique_ptr<FrameSource>,
                           std::unique_ptr<Recogniser>, Clock, Sink) {
  refuse();
}
CameraWorker::~CameraWorker() = default;
void CameraWorker::wake() {}
void CameraWorker::sleep() {}
void CameraWorker::set_gallery(std::shared_ptr<const Gallery>) {}
void CameraWorker::enrol(LiveEnrolment enrolment) {
  enrolment.done(tl::unexpected(EnrolmentEnd::no_camera));
}
void CameraWorker::stop_enrolment() {}
void CameraWorker::look_over() {}
void CameraWorker::look_away() {}
CameraStatus CameraWorker::status() const { return {}; }

std::optional<int> turned_by(const AnalyserCounters&) { return std::nullopt; }
AnalyserCounters& operator+=(AnalyserCounters& sum, const AnalyserCounters&) { return sum; }

std::unique_ptr<FrameSource> make_file_source(FileSourceOptions) { refuse(); }
std::unique_ptr<FrameSource> make_clip_source(ClipOptions) { refuse(); }
std::unique_ptr<FrameSource> make_v4l2_source(V4l2Options) { refuse(); }
std::unique_ptr<FrameSource> make_rtsp_source(RtspOptions) { refuse(); }
std::unique_ptr<FrameSource> make_turned_source(std::unique_ptr<FrameSource>, int) { refuse(); }

EnrolmentResult enrol(FrameSource&, const FaceConsent&, Recogniser&, std::shared_ptr<const Gallery>,
                      const EnrolmentOptions&, const std::function<void(Guidance)>&) {
  return tl::unexpected(EnrolmentEnd::no_camera);
}

}  // namespace welcome::vision
