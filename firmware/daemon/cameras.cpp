// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/cameras.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "firmware/daemon/camera_words.h"
#include "firmware/daemon/log.h"
#include "firmware/daemon/parts.h"
#include "vision/turned_source.h"

namespace welcome::daemon {

Cameras::Cameras(const Config& config, const vision::ModelPack& pack, const Clock& clock,
                 const Seen& seen) {
  if (config.cameras.empty()) return;
  const vision::Recogniser recogniser(pack);  // its copies share the nets, some 60 MB
  for (const CameraConfig& camera : config.cameras) {
    // Every camera counts its tracks from one; in the engine no two may be alike.
    const auto first_track = static_cast<std::uint64_t>(all_.size()) << 48U;
    auto worker = std::make_unique<vision::CameraWorker>(
        analyser_options(config),
        vision::make_turned_source(make_frame_source(camera, clock), degrees_of(camera.rotate)),
        std::make_unique<vision::Recogniser>(recogniser), [&clock] { return clock.now().mono; },
        [zone = camera.zone, first_track, seen](vision::FaceMatch match) {
          match.track += first_track;
          seen(std::move(match), zone);
        });
    all_.push_back({camera.name, camera.zone, camera.rotate,
                    camera.source == CameraSource::v4l2 ? camera.path : std::string(),
                    std::move(worker)});
  }
}

void Cameras::open_all() {
  for (const Camera& camera : all_) camera.worker->wake();
}

bool Cameras::has(const std::string& name) const {
  return std::any_of(all_.begin(), all_.end(),
                     [&](const Camera& camera) { return camera.name == name; });
}

void Cameras::look_over(const std::string& name) {
  for (const Camera& camera : all_) {
    if (!name.empty() && camera.name != name) continue;
    camera.worker->look_over();
    camera.worker->wake();
  }
}

void Cameras::look_away() {
  for (const Camera& camera : all_) camera.worker->look_away();
}

nlohmann::json Cameras::views(const std::string& name, int min_face_px) const {
  auto views = nlohmann::json::array();
  for (const Camera& camera : all_) {
    if (!name.empty() && camera.name != name) continue;
    views.push_back(camera_words(camera.name, camera.worker->status(), min_face_px));
  }
  return views;
}

bool Cameras::all_known() const {
  return std::none_of(all_.begin(), all_.end(), [](const Camera& camera) {
    const auto is = camera.worker->status().health;
    return is == vision::CameraHealth::asleep || is == vision::CameraHealth::starting;
  });
}

void Cameras::look_for(const std::shared_ptr<const vision::Gallery>& gallery) {
  for (const Camera& camera : all_) {
    if (gallery) {
      camera.worker->set_gallery(gallery);
      camera.worker->wake();
    } else {
      camera.worker->sleep();
      camera.worker->set_gallery(nullptr);
    }
  }
}

vision::CameraWorker* Cameras::at_desk() {
  const auto desk = std::find_if(all_.begin(), all_.end(),
                                 [](const Camera& camera) { return camera.zone == Zone::desk; });
  if (desk != all_.end()) return desk->worker.get();
  return all_.empty() ? nullptr : all_.front().worker.get();
}

// A camera that sleeps is not opened; but whether it is there at all can be seen.
vision::CameraHealth Cameras::health(const Camera& camera) {
  const auto health = camera.worker->status().health;
  const bool missing = health == vision::CameraHealth::asleep && !camera.device.empty() &&
                       ::access(camera.device.c_str(), F_OK) != 0;
  return missing ? vision::CameraHealth::gone : health;
}

std::string Cameras::why_of(const Camera& camera) {
  const auto status = camera.worker->status();
  const bool missing =
      status.health == vision::CameraHealth::asleep && health(camera) != status.health;
  return missing ? "there is no such device" : status.why;
}

void Cameras::watch() {
  for (Camera& camera : all_) {
    const auto now = health(camera);
    if (now == vision::CameraHealth::asleep || now == vision::CameraHealth::starting) continue;
    const auto status = camera.worker->status();
    if (now == vision::CameraHealth::ok) {
      if (!camera.said.empty()) {
        log_notable(Notable::camera_back, "camera " + camera.name + ": well again, after " +
                                              std::to_string(status.failures) +
                                              " failed tries since the start");
      }
      camera.said.clear();
      continue;
    }
    std::string what(vision::to_string(now));
    if (const auto why = why_of(camera); !why.empty()) what += ": " + why;
    if (camera.said.insert(what).second) {
      log_notable(Notable::camera_lost, "camera " + camera.name + " is " + what);
    }
  }
}

nlohmann::json Cameras::status() const {
  auto cameras = nlohmann::json::object();
  for (const Camera& camera : all_) {
    const auto seen = camera.worker->status();
    cameras[camera.name] = {{"zone", word_of(kCameraZones, camera.zone)},
                            {"health", vision::to_string(health(camera))},
                            {"awake", seen.awake},
                            {"wakes", seen.wakes},
                            {"frames", seen.frames},
                            {"frames_dropped", seen.frames_dropped},
                            {"frames_bad", seen.frames_bad},
                            {"failures", seen.failures}};
    if (const auto why = why_of(camera); !why.empty()) cameras[camera.name]["why"] = why;
    if (const auto more = vision::turned_by(seen.analysis)) {
      cameras[camera.name]["hint"] = "its faces are not upright: camera.rotate should be " +
                                     std::to_string((degrees_of(camera.rotate) + *more) % 360);
    }
  }
  return cameras;
}

vision::AnalyserCounters Cameras::counters() const {
  vision::AnalyserCounters all;
  for (const Camera& camera : all_) all += camera.worker->status().analysis;
  return all;
}

}  // namespace welcome::daemon
