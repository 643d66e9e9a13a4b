// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/enroller.h"

#include <exception>
#include <spdlog/spdlog.h>
#include <utility>

#include "vision/frame_source.h"

namespace welcome::daemon {

Enroller::Enroller(vision::ModelPack pack, vision::EnrolmentOptions options, Progress progress,
                   Done done)
    : pack_(std::move(pack)),
      options_(options),
      progress_(std::move(progress)),
      done_(std::move(done)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Enroller::~Enroller() = default;

void Enroller::start(std::uint64_t job, const FaceConsent& consent, vision::OpenFile clip,
                     std::shared_ptr<const vision::Gallery> everybody) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({job, consent, std::move(clip), std::move(everybody)});
  }
  news_.notify_one();
}

void Enroller::run(const std::stop_token& stop) {
  for (;;) {
    std::unique_lock lock(mutex_);
    if (!news_.wait(lock, stop, [this] { return !jobs_.empty(); })) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    done_(job.id, job.consent.customer(), enrol(job));
  }
}

vision::EnrolmentResult Enroller::enrol(const Job& job) {
  // OpenCV and the decoder report by exception; none may leave this thread.
  try {
    if (!recogniser_) recogniser_ = std::make_unique<vision::Recogniser>(pack_);
    const auto source = vision::make_clip_source({{}, {}, {}, 5.0, job.clip});
    return vision::enrol(*source, job.consent, *recogniser_, job.everybody, options_,
                         [&](vision::Guidance guidance) { progress_(job.id, guidance); });
  } catch (const std::exception& e) {
    spdlog::warn("a clip cannot be used: {}", e.what());
    return tl::unexpected(vision::EnrolmentEnd::no_video);
  }
}

}  // namespace welcome::daemon
