// SPDX-License-Identifier: Apache-2.0
#include "vision/camera_worker.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <mutex>
#include <opencv2/core.hpp>
#include <optional>
#include <thread>
#include <unistd.h>

#include "tests/unit/vision/people.h"

namespace welcome::vision {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::enrolled_people;
using testing::frames_of;
using testing::media;

// Gives what the test pushes, one frame at a time.
class ScriptedCamera : public FrameSource {
 public:
  struct Script {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Frame> frames;
    int asked = 0;
    int closed = 0;
    bool ended = false;
    std::optional<ErrorCode> error;  // what it gives instead of frames
    SourceState state = SourceState::running;
  };
  explicit ScriptedCamera(std::shared_ptr<Script> script) : script_(std::move(script)) {}

  Result<Frame> next(milliseconds patience) override {
    std::unique_lock lock(script_->mutex);
    ++script_->asked;
    if (script_->error) return fail(*script_->error, "as the test says");
    script_->changed.wait_for(lock, patience,
                              [&] { return !script_->frames.empty() || script_->ended; });
    if (!script_->frames.empty()) {
      Frame frame = std::move(script_->frames.front());
      script_->frames.pop_front();
      return frame;
    }
    if (script_->ended) return fail(ErrorCode::not_found, "ended");
    return fail(ErrorCode::unavailable, "nothing yet");
  }
  void close() override {
    const std::lock_guard lock(script_->mutex);
    ++script_->closed;
  }
  SourceState state() const override {
    const std::lock_guard lock(script_->mutex);
    return script_->ended ? SourceState::ended : script_->state;
  }

 private:
  std::shared_ptr<Script> script_;
};

class CameraWorkerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WELCOME_NEEDS_MODELS_AND_MEDIA();
    worker_ = std::make_unique<CameraWorker>(
        AnalyserOptions{}, std::make_unique<ScriptedCamera>(script_),
        std::make_unique<Recogniser>(load_model_pack(testing::models_dir(), "best")),
        [this] { return now_.load(); },
        [this](const FaceMatch& match) {
          const std::lock_guard lock(mutex_);
          matches_.push_back(match);
        });
  }

  template <class Condition>
  bool eventually(Condition condition) {
    for (int i = 0; i < 5000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(milliseconds(2));
    }
    return false;
  }

  // Shows frames one by one, each after the one before was analysed.
  void show(const std::vector<Frame>& frames) {
    for (const Frame& frame : frames) {
      const auto before = worker_->status().analysis.frames_analysed;
      {
        const std::lock_guard lock(script_->mutex);
        script_->frames.push_back(frame);
      }
      script_->changed.notify_all();
      ASSERT_TRUE(eventually([&] { return worker_->status().analysis.frames_analysed > before; }));
    }
  }

  void say(std::optional<ErrorCode> error, SourceState state) {
    const std::lock_guard lock(script_->mutex);
    script_->error = error;
    script_->state = state;
  }

  std::vector<FaceMatch> matches() {
    const std::lock_guard lock(mutex_);
    return matches_;
  }

  std::shared_ptr<ScriptedCamera::Script> script_ = std::make_shared<ScriptedCamera::Script>();
  std::mutex mutex_;
  std::vector<FaceMatch> matches_;
  std::atomic<MonoTime> now_{};  // what the camera's clock says
  std::unique_ptr<CameraWorker> worker_;
};

TEST_F(CameraWorkerTest, DecodesNothingWhileAsleep) {
  ASSERT_TRUE(eventually([&] {
    const std::lock_guard lock(script_->mutex);
    return script_->closed > 0;
  }));
  EXPECT_FALSE(worker_->status().awake);
  EXPECT_EQ(worker_->status().frames, 0U);
  const std::lock_guard lock(script_->mutex);
  EXPECT_EQ(script_->asked, 0);
}

TEST_F(CameraWorkerTest, TellsWhoIsThereAndForgetsWhenPutToSleep) {
  worker_->set_gallery(enrolled_people());
  worker_->wake();
  show(frames_of(media("franck.mp4"), seconds(100), seconds(102), 10));
  const auto found = matches();
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].customer, CustomerId("c-paul"));
  EXPECT_EQ(found[0].generation, 1U);

  const auto closed = [&] {
    const std::lock_guard lock(script_->mutex);
    return script_->closed;
  };
  const int before = closed();
  worker_->sleep();
  ASSERT_TRUE(eventually([&] { return closed() > before; }));
  EXPECT_EQ(worker_->status().analysis.faces_discarded, 0U);
  EXPECT_EQ(worker_->status().wakes, 1U);
}

TEST_F(CameraWorkerTest, LooksOverWhatItSeesAndRecognisesNobodyByIt) {
  worker_->look_over();
  worker_->wake();
  EXPECT_FALSE(worker_->status().view) << "no picture yet";
  auto frames = frames_of(media("franck.mp4"), seconds(100), seconds(102), 10);
  ASSERT_GT(frames.size(), 3U);
  show(frames);
  const auto view = worker_->status().view;
  ASSERT_TRUE(view);
  EXPECT_EQ(view->width, frames[0].image.width());
  EXPECT_EQ(view->height, frames[0].image.height());
  EXPECT_EQ(view->pictures, frames.size());
  const std::chrono::duration<double> over = frames.back().at - frames.front().at;
  EXPECT_NEAR(view->per_second(), static_cast<double>(frames.size() - 1) / over.count(), 0.1);
  ASSERT_EQ(view->faces.size(), 1U);
  EXPECT_GT(view->faces[0].eyes_px, 0.3F * view->faces[0].size_px);
  EXPECT_LT(view->faces[0].eyes_px, 0.6F * view->faces[0].size_px);
  EXPECT_GT(view->sharpness, 0);
  EXPECT_EQ(worker_->status().analysis.faces_embedded, 0U);
  EXPECT_TRUE(matches().empty());
  worker_->look_away();
  EXPECT_FALSE(worker_->status().view);
  show({frames[0]});
  EXPECT_FALSE(worker_->status().view);
}

TEST(CameraView, SaysHowLightAndSharpAPictureIs) {
  WELCOME_NEEDS_MODELS_AND_MEDIA();
  const auto of = [](const cv::Mat& pixels) {
    return view_of(Image(pixels), testing::recogniser());
  };
  const CameraView night = of(cv::Mat(240, 320, CV_8UC3, cv::Scalar::all(9)));
  EXPECT_NEAR(night.brightness, 9, 1);
  EXPECT_EQ(night.dark, 1);
  EXPECT_EQ(night.sharpness, 0);
  EXPECT_TRUE(night.faces.empty());
  cv::Mat window(240, 320, CV_8UC3, cv::Scalar::all(10));
  window.colRange(0, 160).setTo(cv::Scalar::all(250));
  const CameraView half = of(window);
  EXPECT_EQ(half.dark, 0.5F);
  EXPECT_EQ(half.bright, 0.5F);
  EXPECT_GT(half.sharpness, 0);
  EXPECT_EQ(view_of(Image(), testing::recogniser()).width, 0);
}

TEST_F(CameraWorkerTest, CountsAStrangerOnceAsDiscarded) {
  worker_->set_gallery(enrolled_people(false));
  worker_->wake();
  show(frames_of(media("cap13_edit2.mp4"), seconds(1), seconds(4), 8));
  EXPECT_TRUE(matches().empty());
  EXPECT_EQ(worker_->status().analysis.faces_discarded, 0U);
  worker_->sleep();
  EXPECT_TRUE(eventually([&] { return worker_->status().analysis.faces_discarded == 1; }));
  EXPECT_EQ(worker_->status().analysis.faces_seen, 1U);
}

TEST_F(CameraWorkerTest, ObeysAWithdrawalFromTheNextFrameOn) {
  worker_->set_gallery(enrolled_people());
  worker_->wake();
  auto frames = frames_of(media("cap13_edit2.mp4"), seconds(1), seconds(3), 8);
  show(frames);
  EXPECT_FALSE(matches().empty());
  worker_->set_gallery(enrolled_people(false, 2));
  const std::size_t before = matches().size();
  for (Frame& frame : frames) frame.at += seconds(2);
  show(frames);
  EXPECT_EQ(matches().size(), before);
}

TEST_F(CameraWorkerTest, SaysThatTheStreamHasEnded) {
  {
    const std::lock_guard lock(script_->mutex);
    script_->ended = true;
  }
  worker_->wake();
  EXPECT_TRUE(eventually([&] { return worker_->status().source == SourceState::ended; }));
}

TEST_F(CameraWorkerTest, StopsWhileAwake) {
  worker_->wake();
  worker_.reset();
  SUCCEED();
}

// ---- health

TEST_F(CameraWorkerTest, SaysWhatIsWrongWithinThreeSecondsAndRecoversByItself) {
  const auto health = [&] { return worker_->status().health; };
  EXPECT_EQ(health(), CameraHealth::asleep);
  worker_->wake();
  EXPECT_TRUE(eventually([&] { return health() != CameraHealth::asleep; }));
  const Frame person = frames_of(media("franck.mp4"), seconds(100), seconds(101), 1).at(0);
  const auto at = [](int ms) { return MonoTime{} + milliseconds(ms); };
  const auto show_at = [&](const Image& image, int ms) {
    now_ = at(ms);
    show({{image, at(ms), 1}});
  };
  show_at(person.image, 100);
  EXPECT_EQ(health(), CameraHealth::ok);

  // It gives nothing any more.
  now_ = at(3000);
  EXPECT_EQ(health(), CameraHealth::stalled);
  show_at(person.image, 3100);
  EXPECT_EQ(health(), CameraHealth::ok);

  // It gives the same picture again and again; then a black one.
  for (int ms = 3200; ms <= 6000; ms += 200) show_at(person.image, ms);
  EXPECT_EQ(health(), CameraHealth::frozen);
  const Image black(cv::Mat(288, 360, CV_8UC3, cv::Scalar::all(1)));
  for (int ms = 6200; ms <= 9200; ms += 200) show_at(black, ms);
  EXPECT_EQ(health(), CameraHealth::black);
  show_at(person.image, 9300);
  EXPECT_EQ(health(), CameraHealth::ok);

  say(ErrorCode::malformed, SourceState::running);
  EXPECT_TRUE(eventually([&] { return health() == CameraHealth::garbled; }));
  say(ErrorCode::unavailable, SourceState::failed);
  EXPECT_TRUE(eventually([&] { return health() == CameraHealth::gone; }));
  EXPECT_TRUE(eventually([&] { return worker_->status().failures >= 2; })) << "it tries again";
  EXPECT_EQ(worker_->status().why, "as the test says");
  say(std::nullopt, SourceState::running);
  show_at(person.image, 9400);
  EXPECT_EQ(health(), CameraHealth::ok);
  EXPECT_EQ(worker_->status().why, "");
  worker_->sleep();
  EXPECT_EQ(health(), CameraHealth::asleep);
}

TEST_F(CameraWorkerTest, SurvivesAHugeAndAnEmptyFrame) {
  worker_->set_gallery(enrolled_people());
  worker_->wake();
  show({{Image(cv::Mat(4320, 7680, CV_8UC3, cv::Scalar::all(80))), MonoTime{}, 1},
        {Image(), MonoTime{} + milliseconds(100), 2}});
  EXPECT_TRUE(matches().empty());
  EXPECT_EQ(worker_->status().analysis.frames_analysed, 2U);
}

// ---- enrolment at the camera

class LiveEnrolmentTest : public CameraWorkerTest {
 protected:
  void enrol(const std::string& customer, std::shared_ptr<const Gallery> everybody = nullptr) {
    worker_->enrol({testing::face_consent(customer),
                    std::move(everybody),
                    {},
                    [this](Guidance guidance, int views) {
                      const std::lock_guard lock(mutex_);
                      guidance_.push_back(guidance);
                      views_ = views;
                    },
                    [this](EnrolmentResult face) {
                      const std::lock_guard lock(mutex_);
                      faces_.push_back(std::move(face));
                    }});
  }
  // Shows frames until the enrolment ends or they do.
  void look_at(const std::vector<Frame>& frames) {
    for (const Frame& frame : frames) {
      const std::size_t before = words();
      {
        const std::lock_guard lock(script_->mutex);
        script_->frames.push_back(frame);
      }
      script_->changed.notify_all();
      ASSERT_TRUE(eventually([&] { return words() > before || ended(); }));
      if (ended()) return;
    }
  }
  std::size_t words() {
    const std::lock_guard lock(mutex_);
    return guidance_.size();
  }
  bool ended() {
    const std::lock_guard lock(mutex_);
    return !faces_.empty();
  }

  std::vector<Guidance> guidance_;
  int views_ = 0;
  std::vector<EnrolmentResult> faces_;
};

TEST_F(LiveEnrolmentTest, WakesTheCameraMakesTemplatesAndSleepsAgain) {
  enrol("c-paul");
  EXPECT_TRUE(worker_->status().awake);
  look_at(frames_of(media("franck.mp4"), seconds(0), seconds(40), 5));
  ASSERT_TRUE(eventually([&] { return ended(); }));
  ASSERT_TRUE(faces_[0].has_value()) << sentence(faces_[0].error());
  EXPECT_EQ(faces_[0]->customer, CustomerId("c-paul"));
  EXPECT_EQ(faces_[0]->templates.size(), 3U);
  EXPECT_EQ(guidance_.back(), Guidance::done);
  EXPECT_FALSE(worker_->status().awake);
  EXPECT_TRUE(matches().empty());
}

TEST_F(LiveEnrolmentTest, RefusesAFaceThatIsSomebodyElses) {
  enrol("c-eve", enrolled_people());
  look_at(frames_of(media("franck.mp4"), seconds(100), seconds(110), 5));
  ASSERT_TRUE(eventually([&] { return ended(); }));
  ASSERT_FALSE(faces_[0].has_value());
  EXPECT_EQ(faces_[0].error(), EnrolmentEnd::somebody_else);
}

TEST_F(LiveEnrolmentTest, StopMeansThatNothingComes) {
  worker_->set_gallery(enrolled_people());
  worker_->wake();
  enrol("c-paul");
  look_at(frames_of(media("franck.mp4"), seconds(10), seconds(11), 1));
  worker_->stop_enrolment();
  // The camera goes on with what it did before.
  show(frames_of(media("franck.mp4"), seconds(100), seconds(102), 10));
  EXPECT_FALSE(ended());
  EXPECT_FALSE(matches().empty());
}

TEST(FileSource, FollowsTheStoryAndSkipsWhatIsLate) {
  if (!testing::have_media()) GTEST_SKIP() << "sample media (npm ci)";
  std::chrono::microseconds position{-1};
  const auto source = make_file_source({media("cap13_edit2.mp4"), [&] { return position; },
                                        [&] { return MonoTime{} + position; }, 0});
  EXPECT_EQ(source->next(milliseconds(5)).error().code, ErrorCode::unavailable);
  position = seconds(0);
  EXPECT_EQ(source->next(milliseconds(5))->number, 0U);
  EXPECT_EQ(source->next(milliseconds(5)).error().code, ErrorCode::unavailable);  // not yet
  position = milliseconds(400);
  EXPECT_EQ(source->next(milliseconds(5))->number, 10U);
  source->close();  // asleep for a while
  position = seconds(20);
  const auto late = source->next(milliseconds(5));
  ASSERT_TRUE(late.has_value());
  EXPECT_EQ(late->number, 500U);
  EXPECT_EQ(late->at, MonoTime{} + seconds(20));
  position = seconds(31);
  EXPECT_EQ(source->next(milliseconds(5)).error().code, ErrorCode::not_found);
  EXPECT_EQ(source->state(), SourceState::ended);
}

TEST(ClipSource, ThatWasCutOffEndsAndAnEmptyOneNeverBegins) {
  if (!testing::have_media()) GTEST_SKIP() << "sample media (npm ci)";
  const std::filesystem::path file =
      std::filesystem::path(::testing::TempDir()) / ("cut-" + std::to_string(::getpid()) + ".mp4");
  std::ifstream in(media("cap13_edit2.mp4"), std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{20}, whole.size() / 20, whole.size() / 2, whole.size() - 100}) {
    std::ofstream(file, std::ios::binary) << whole.substr(0, size);
    const auto source = make_clip_source({file, {}, {}, 0});
    int frames = 0;
    for (int tries = 0; tries < 3000; ++tries) {
      const auto frame = source->next(milliseconds(0));
      if (frame) {
        ++frames;
      } else if (frame.error().code != ErrorCode::malformed) {
        break;
      }
    }
    EXPECT_NE(source->state(), SourceState::running) << size;
    EXPECT_LT(frames, 900) << size;
  }
  std::filesystem::remove(file);
}

TEST(FileSource, ThatIsMissingSaysSo) {
  const auto source = make_file_source(
      {"/nowhere.mp4", [] { return std::chrono::microseconds(0); }, [] { return MonoTime{}; }, 0});
  EXPECT_EQ(source->next(milliseconds(1)).error().code, ErrorCode::unavailable);
  EXPECT_EQ(source->state(), SourceState::failed);
}

}  // namespace
}  // namespace welcome::vision
