// SPDX-License-Identifier: Apache-2.0
#include "vision/analyser.h"

#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>
#include <set>

#include "tests/unit/vision/clips.h"
#include "tests/unit/vision/people.h"

namespace welcome::vision {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::enrolled_people;
using testing::frames_of;
using testing::media;

class AnalyserTest : public ::testing::Test {
 protected:
  void SetUp() override { WELCOME_NEEDS_MODELS_AND_MEDIA(); }

  // Customers that were matched in the frames.
  std::multiset<std::string> run(const std::vector<Frame>& frames, const Gallery* gallery) {
    std::multiset<std::string> matched;
    for (const Frame& frame : frames) {
      for (const FaceMatch& match : analyser_.analyse(frame, gallery)) {
        matched.insert(match.customer.str());
        last_ = match;
      }
    }
    return matched;
  }

  Analyser analyser_{{}, testing::recogniser()};
  FaceMatch last_;
};

TEST_F(AnalyserTest, RecognisesPaulLaterInHisRecording) {
  const auto gallery = enrolled_people();
  const auto matched =
      run(frames_of(media("franck.mp4"), seconds(100), seconds(110), 10), gallery.get());
  EXPECT_GE(matched.count("c-paul"), 3U);  // at once, and at every refresh
  EXPECT_EQ(matched.count("c-bruno"), 0U);
  EXPECT_GT(last_.similarity, 0.7);
  EXPECT_EQ(last_.generation, 1U);
  EXPECT_EQ(analyser_.counters().faces_matched, 1U);
  // Work per person, not per frame: two views, then one every two seconds.
  EXPECT_LE(analyser_.counters().faces_embedded, 8U);
}

// A machine that needs 4 s for a look, and a camera that gives ten pictures a second meanwhile.
TEST_F(AnalyserTest, RecognisesPaulOnAVerySlowMachine) {
  const auto gallery = enrolled_people();
  const auto all = frames_of(media("franck.mp4"), seconds(100), seconds(140), 10);
  std::vector<Frame> looked_at;
  for (std::size_t i = 0; i < all.size(); i += 40) looked_at.push_back(all[i]);
  EXPECT_GE(run(looked_at, gallery.get()).count("c-paul"), 3U);
  EXPECT_EQ(analyser_.counters().faces_seen, 1U);
}

TEST_F(AnalyserTest, RecognisesBrunoInAnotherRecording) {
  const auto gallery = enrolled_people();
  const auto matched =
      run(frames_of(media("cap13_edit2.mp4"), seconds(1), seconds(11), 10), gallery.get());
  EXPECT_GE(matched.count("c-bruno"), 3U);
  EXPECT_EQ(matched.count("c-paul"), 0U);
}

TEST_F(AnalyserTest, OnlyTheViewOfWhoAgreedToAgeingLeavesIt) {
  const auto gallery = enrolled_people(true, 1, true);
  (void)run(frames_of(media("cap13_edit2.mp4"), seconds(1), seconds(4), 10), gallery.get());
  EXPECT_EQ(last_.customer, CustomerId("c-bruno"));
  EXPECT_FALSE(last_.view.has_value());
  analyser_.forget();
  (void)run(frames_of(media("franck.mp4"), seconds(100), seconds(103), 10), gallery.get());
  ASSERT_EQ(last_.customer, CustomerId("c-paul"));
  ASSERT_TRUE(last_.view.has_value());
  EXPECT_EQ(last_.view->model(), testing::recogniser().model().name());
}

TEST_F(AnalyserTest, MatchesWithinAFewFramesOfTheFirstUsableFace) {
  const auto gallery = enrolled_people();
  const auto frames = frames_of(media("franck.mp4"), seconds(120), seconds(121), 24);
  for (const Frame& frame : frames) {
    if (!analyser_.analyse(frame, gallery.get()).empty()) {
      EXPECT_LE(frame.at - frames.front().at, milliseconds(300));
      return;
    }
  }
  FAIL() << "no match within a second";
}

TEST_F(AnalyserTest, NeverMatchesAudreyOrTheGroupPicturesAndCountsThemOnce) {
  const auto gallery = enrolled_people();
  std::vector<Frame> frames;
  for (int picture = 0; picture <= 6; ++picture) {
    const auto image =
        Image::load(picture == 0 ? media("audrey.jpg") : testing::group_picture(picture));
    ASSERT_TRUE(image.has_value());
    for (int i = 0; i < 6; ++i) {
      const auto number = static_cast<std::uint64_t>(frames.size());
      // Pictures follow each other after a gap, so that tracks end in between.
      frames.push_back({*image, MonoTime{} + picture * seconds(5) + i * milliseconds(200), number});
    }
  }
  EXPECT_TRUE(run(frames, gallery.get()).empty());
  analyser_.forget();
  const AnalyserCounters& counters = analyser_.counters();
  EXPECT_GE(counters.faces_seen, 10U);
  EXPECT_EQ(counters.faces_discarded, counters.faces_seen);
}

TEST_F(AnalyserTest, ForgetsSomebodyWithTheGalleryThatHeLeft) {
  const auto frames = frames_of(media("cap13_edit2.mp4"), seconds(1), seconds(5), 10);
  EXPECT_GE(run(frames, enrolled_people().get()).count("c-bruno"), 1U);
  std::vector<Frame> later = frames;
  for (Frame& frame : later) frame.at += seconds(4);
  EXPECT_TRUE(run(later, enrolled_people(false, 2).get()).empty());
}

TEST_F(AnalyserTest, WithNobodyToLookForComparesNothing) {
  const auto frames = frames_of(media("franck.mp4"), seconds(100), seconds(102), 10);
  EXPECT_TRUE(run(frames, nullptr).empty());
  EXPECT_EQ(analyser_.counters().faces_embedded, 0U);
  analyser_.forget();
  EXPECT_EQ(analyser_.counters().faces_seen, 1U);
  EXPECT_EQ(analyser_.counters().faces_discarded, 1U);
}

TEST_F(AnalyserTest, LeavesSmallFacesAlone) {
  auto frames = frames_of(media("franck.mp4"), seconds(100), seconds(102), 10);
  for (Frame& frame : frames) {
    cv::Mat wide(720, 1280, CV_8UC3, cv::Scalar::all(120));
    cv::Mat small;
    cv::resize(frame.image.mat(), small, {}, 0.28, 0.28, cv::INTER_AREA);  // a face of 40 px
    small.copyTo(wide(cv::Rect(600, 300, small.cols, small.rows)));
    frame.image = Image(wide);
  }
  EXPECT_TRUE(run(frames, enrolled_people().get()).empty());
  EXPECT_EQ(analyser_.counters().faces_embedded, 0U);
}

// ---- pictures that are at fault

TEST_F(AnalyserTest, WhoWasThereBeforeAChangeOfResolutionIsNotThereAfterIt) {
  WELCOME_NEEDS_FFMPEG();
  const testing::ClipFolder folder;
  const std::string coded = " -an -r 10 -c:v libx264 -pix_fmt yuv420p ";
  const auto paul = folder.make(
      "paul.ts", "-ss 100 -t 4 -i '" + media("franck.mp4").string() + "' -s 360x288" + coded);
  const auto room = folder.make(
      "room.ts", "-f lavfi -i smptebars=size=720x576:rate=10 -t 6 -vf noise=alls=8:allf=t" + coded);
  const auto joined = folder / "joined.ts";
  std::ofstream(joined, std::ios::binary) << std::ifstream(paul, std::ios::binary).rdbuf()
                                          << std::ifstream(room, std::ios::binary).rdbuf();
  const auto frames = frames_of(joined, seconds(0), seconds(20), 5);
  ASSERT_GE(frames.size(), 45U);
  const auto gallery = enrolled_people();
  const auto change = std::find_if(frames.begin(), frames.end(),
                                   [](const Frame& frame) { return frame.image.width() == 720; });
  EXPECT_GE(run({frames.begin(), change}, gallery.get()).count("c-paul"), 1U);
  EXPECT_TRUE(run({change, frames.end()}, gallery.get()).empty());
}

TEST_F(AnalyserTest, AFrozenPictureConfirmsNobodyHoweverItIsEncodedAgain) {
  WELCOME_NEEDS_FFMPEG();
  const testing::ClipFolder folder;
  const auto gallery = enrolled_people();
  const std::string frozen = "-ss 100 -t 4 -i '" + media("franck.mp4").string() +
                             "' -an -vf fps=10,tpad=stop_mode=clone:stop_duration=20 ";
  for (const auto& [name, coded] : std::vector<std::pair<std::string, std::string>>{
           {"a.mp4", "-c:v libx264 -preset veryfast -g 20"},
           {"b.avi", "-c:v mpeg4 -q:v 6 -g 12"},
           {"c.avi", "-c:v mjpeg -b:v 700k"}}) {
    const auto frames = frames_of(folder.make(name, frozen + coded), seconds(0), seconds(24), 5);
    ASSERT_GE(frames.size(), 110U) << name;
    const auto stops = frames.begin() + 4 * 5 + 5 * 5 + 2;  // it moved, patience, and a little
    analyser_.forget();
    EXPECT_GE(run({frames.begin(), stops}, gallery.get()).count("c-paul"), 1U) << name;
    EXPECT_TRUE(run({stops, frames.end()}, gallery.get()).empty()) << name;
    EXPECT_EQ(analyser_.picture(), PictureFault::frozen) << name;
  }
}

TEST_F(AnalyserTest, AFaceOnThePaperOfALivelyRoomConfirmsNobody) {
  // Bruno moves; beside him hangs a portrait of Paul.
  const auto gallery = enrolled_people();
  const Image portrait = frames_of(media("franck.mp4"), seconds(100), seconds(101), 1).at(0).image;
  auto frames = frames_of(media("cap13_edit2.mp4"), seconds(1), seconds(16), 5);
  for (Frame& frame : frames) {
    cv::Mat both(frame.image.height(), frame.image.width() + portrait.width(), CV_8UC3,
                 cv::Scalar::all(120));
    frame.image.mat().copyTo(both(cv::Rect(0, 0, frame.image.width(), frame.image.height())));
    portrait.mat().copyTo(
        both(cv::Rect(frame.image.width(), 0, portrait.width(), portrait.height())));
    frame.image = Image(both);
  }
  const std::vector<Frame> later(frames.begin() + 5 * 5 + 2, frames.end());
  run({frames.begin(), frames.begin() + 5 * 5 + 2}, gallery.get());
  const auto matched = run(later, gallery.get());
  EXPECT_EQ(matched.count("c-paul"), 0U);
  EXPECT_GE(matched.count("c-bruno"), 2U);
  EXPECT_EQ(analyser_.picture(), PictureFault::none);
}

}  // namespace
}  // namespace welcome::vision
