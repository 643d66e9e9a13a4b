// SPDX-License-Identifier: Apache-2.0
#pragma once
// Cameras: the workers of all cameras of the box, woken and put to sleep together. Engine thread;
// what a worker sees it hands to `seen` on a thread of its own.

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "core/claim.h"
#include "firmware/daemon/config.h"
#include "firmware/engine/clock.h"
#include "vision/camera_worker.h"
#include "vision/model_pack.h"

namespace welcome::daemon {

class Cameras {
 public:
  using Seen = std::function<void(vision::FaceMatch, Zone)>;

  // The clock outlives them.
  Cameras(const Config& config, const vision::ModelPack& pack, const Clock& clock,
          const Seen& seen);

  std::size_t size() const { return all_.size(); }
  // All of them are opened, and look for nobody: faces are counted, none is compared.
  void open_all();
  // Each has shown whether it gives pictures.
  bool all_known() const;
  bool has(const std::string& name) const;
  // This one, or all, are opened and say what they see, until look_away().
  void look_over(const std::string& name);
  void look_away();
  // What they saw meanwhile, in words.
  nlohmann::json views(const std::string& name, int min_face_px) const;
  // Null: nobody to look for, they sleep.
  void look_for(const std::shared_ptr<const vision::Gallery>& gallery);
  // Of the first camera at the desk, or else the first; null where there is none.
  vision::CameraWorker* at_desk();
  // Says what is wrong with a camera once for each reason, however often it is tried again.
  void watch();
  // What belongs into the status as "cameras", and the sums of all for "faces".
  nlohmann::json status() const;
  vision::AnalyserCounters counters() const;
  void close() { all_.clear(); }

 private:
  struct Camera {
    std::string name;
    Zone zone;
    QuarterTurns rotate;
    std::string device;  // of the kernel; empty = a file or a stream
    std::unique_ptr<vision::CameraWorker> worker;
    std::set<std::string> said{};  // in the log, since it was well
  };
  static vision::CameraHealth health(const Camera& camera);
  static std::string why_of(const Camera& camera);

  std::vector<Camera> all_;
};

}  // namespace welcome::daemon
