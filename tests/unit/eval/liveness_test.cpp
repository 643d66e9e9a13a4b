#include "vision/liveness.h"

#include <gtest/gtest.h>

#include "eval/attack.h"
#include "tests/unit/vision/people.h"
#include "vision/analyser.h"

namespace welcome::vision {
namespace {

using std::chrono::seconds;

TEST(LivenessVote, TwoClearViewsDecideAndDoubtfulOnesTakeLonger) {
  LivenessVote clear;
  EXPECT_EQ(clear.verdict(), Liveness::undecided);
  clear.add(0.99F);
  EXPECT_EQ(clear.verdict(), Liveness::undecided);  // one view never decides
  clear.add(0.99F);
  EXPECT_EQ(clear.verdict(), Liveness::live);
  LivenessVote doubtful;
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(doubtful.verdict(), Liveness::undecided);
    doubtful.add(0.85F);
  }
  EXPECT_EQ(doubtful.verdict(), Liveness::live);
  LivenessVote copy;
  copy.add(0.01F);
  copy.add(0.01F);
  EXPECT_EQ(copy.verdict(), Liveness::attack);
}

TEST(LivenessVote, ForgivesOneBadViewAndNoticesAPhotoPutInBetween) {
  LivenessVote vote;
  for (const float score : {0.9F, 0.1F, 0.95F, 0.95F, 0.95F}) vote.add(score);
  EXPECT_EQ(vote.verdict(), Liveness::live);
  for (int i = 0; i < 10; ++i) vote.add(0.05F);
  EXPECT_EQ(vote.verdict(), Liveness::attack);
}

class LivenessTest : public ::testing::Test {
 protected:
  void SetUp() override { WELCOME_NEEDS_MODELS_AND_MEDIA(); }

  static AnalyserOptions strict() {
    AnalyserOptions options;
    options.require_liveness = true;
    return options;
  }
  // Matches among the frames, each shown as it is or as a copy.
  static std::size_t matches(std::vector<Frame> frames, std::optional<eval::Attack> attack,
                             AnalyserCounters* counters = nullptr) {
    Analyser analyser(strict(), testing::recogniser());
    const auto gallery = testing::enrolled_people();
    std::size_t count = 0;
    for (Frame& frame : frames) {
      if (attack) frame.image = eval::imitate(frame.image, *attack, 3);
      count += analyser.analyse(frame, gallery.get()).size();
    }
    if (counters != nullptr) *counters = analyser.counters();
    return count;
  }
};

TEST_F(LivenessTest, LetsARealPersonThrough) {
  EXPECT_GE(
      matches(testing::frames_of(testing::media("cap13_edit2.mp4"), seconds(2), seconds(5), 8),
              std::nullopt),
      1U);
}

TEST_F(LivenessTest, RefusesAPrintAndAScreenOfTheSamePerson) {
  const auto frames =
      testing::frames_of(testing::media("cap13_edit2.mp4"), seconds(2), seconds(5), 8);
  for (const eval::Attack attack : {eval::Attack::print, eval::Attack::screen}) {
    AnalyserCounters counters;
    EXPECT_EQ(matches(frames, attack, &counters), 0U);
    EXPECT_GE(counters.faces_not_live, 1U);
  }
}

TEST_F(LivenessTest, CannotBeToldFromATightCrop) {
  const auto image = Image::load(testing::media("audrey_crop.jpg"));
  ASSERT_TRUE(image.has_value());
  EXPECT_FALSE(testing::recogniser().liveness(
      *image, {0, 0, static_cast<float>(image->width()), static_cast<float>(image->height())}));
}

TEST_F(LivenessTest, EnrolmentRefusesAPrint) {
  EnrolmentOptions options;
  options.require_liveness = true;
  options.too_alike = 2;  // even if it moved enough to look like several views
  Enrolment enrolment(testing::face_consent("c-1"), testing::recogniser(), nullptr, options);
  for (const Frame& frame :
       testing::frames_of(testing::media("cap13_edit2.mp4"), seconds(2), seconds(5), 5)) {
    enrolment.add(eval::imitate(frame.image, eval::Attack::print, 5));
  }
  EXPECT_EQ(enrolment.finish().error().code, ErrorCode::refused);
}

}  // namespace
}  // namespace welcome::vision
