#include "vision/camera_worker.h"

#include <condition_variable>
#include <deque>
#include <gtest/gtest.h>
#include <mutex>
#include <thread>

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
  };
  explicit ScriptedCamera(std::shared_ptr<Script> script) : script_(std::move(script)) {}

  Result<Frame> next(milliseconds patience) override {
    std::unique_lock lock(script_->mutex);
    ++script_->asked;
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
    return script_->ended ? SourceState::ended : SourceState::running;
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

  std::vector<FaceMatch> matches() {
    const std::lock_guard lock(mutex_);
    return matches_;
  }

  std::shared_ptr<ScriptedCamera::Script> script_ = std::make_shared<ScriptedCamera::Script>();
  std::mutex mutex_;
  std::vector<FaceMatch> matches_;
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

TEST(FileSource, ThatIsMissingSaysSo) {
  const auto source = make_file_source(
      {"/nowhere.mp4", [] { return std::chrono::microseconds(0); }, [] { return MonoTime{}; }, 0});
  EXPECT_EQ(source->next(milliseconds(1)).error().code, ErrorCode::unavailable);
  EXPECT_EQ(source->state(), SourceState::failed);
}

}  // namespace
}  // namespace welcome::vision
