// SPDX-License-Identifier: Apache-2.0
#pragma once
// Enroller: makes templates from a clip on a thread of its own, with a recogniser of its own, so
// that neither the engine nor the camera waits. One job at a time; further ones wait.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/sighting.h"
#include "vision/enrolment.h"
#include "vision/model_pack.h"

namespace welcome::daemon {

class Enroller {
 public:
  // Both are called on the enroller's thread.
  using Progress = std::function<void(std::uint64_t job, vision::Guidance)>;
  using Done = std::function<void(std::uint64_t job, CustomerId, vision::EnrolmentResult)>;

  Enroller(vision::ModelPack pack, vision::EnrolmentOptions options, Progress progress, Done done);
  ~Enroller();  // waits for the job in progress
  Enroller(const Enroller&) = delete;
  Enroller& operator=(const Enroller&) = delete;

  // Any thread.
  void start(std::uint64_t job, const FaceConsent& consent, vision::OpenFile clip,
             std::shared_ptr<const vision::Gallery> everybody);

 private:
  struct Job {
    std::uint64_t id;
    FaceConsent consent;
    vision::OpenFile clip;
    std::shared_ptr<const vision::Gallery> everybody;
  };
  void run(const std::stop_token& stop);
  vision::EnrolmentResult enrol(const Job& job);

  const vision::ModelPack pack_;
  const vision::EnrolmentOptions options_;
  const Progress progress_;
  const Done done_;
  std::mutex mutex_;
  std::condition_variable_any news_;
  std::deque<Job> jobs_;
  std::unique_ptr<vision::Recogniser> recogniser_;  // made for the first job; thread's own
  std::jthread thread_;
};

}  // namespace welcome::daemon
