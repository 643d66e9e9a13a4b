// SPDX-License-Identifier: Apache-2.0
// Faces that are covered, and cameras that do not hang upright: nobody is enrolled or recognised by
// what is not his face.

#include "eval/cover.h"

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

#include "tests/unit/vision/people.h"
#include "vision/analyser.h"
#include "vision/turned_source.h"

namespace welcome::vision {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::face_consent;
using testing::frames_of;
using testing::media;
using testing::recogniser;

class CoverTest : public ::testing::Test {
 protected:
  void SetUp() override { WELCOME_NEEDS_MODELS_AND_MEDIA(); }

  // Of two people, in two rooms.
  static std::vector<Frame> some_frames() {
    auto frames = frames_of(media("franck.mp4"), seconds(20), seconds(60), 0.2);
    for (Frame& frame : frames_of(media("cap13_edit2.mp4"), seconds(1), seconds(25), 0.3)) {
      frames.push_back(std::move(frame));
    }
    return frames;
  }
  static Image covered(const Image& image, eval::Cover cover, std::uint64_t seed) {
    const auto face = recogniser().portrait(image);
    EXPECT_TRUE(face.has_value());
    return face ? eval::covered(image, face->landmarks, cover, seed) : Image{};
  }
  static std::shared_ptr<const Gallery> gallery_of(const Image& image) {
    const auto face = recogniser().portrait(image);
    EXPECT_TRUE(face.has_value());
    const FaceConsent consent = face_consent("c-1");
    Gallery::Builder builder(recogniser().model(), OperatingPoint::of(recogniser().pack()));
    EXPECT_TRUE(builder.add(consent, FaceTemplate(consent, recogniser().model(), face->embedding)));
    return std::move(builder).build(1);
  }
  static std::size_t matches(Analyser& analyser, const std::vector<Frame>& frames,
                             const Gallery* gallery) {
    std::size_t count = 0;
    for (const Frame& frame : frames) count += analyser.analyse(frame, gallery).size();
    return count;
  }
};

TEST_F(CoverTest, EnrolmentAsksToUncoverWhateverHidesAFace) {
  const auto frames = some_frames();
  ASSERT_GE(frames.size(), 12U);
  for (const eval::Cover cover : eval::kCovers) {
    std::size_t taken = 0;
    std::uint64_t seed = 1;
    for (const Frame& frame : frames) {
      Enrolment enrolment(face_consent("c-1"), recogniser(), nullptr);
      enrolment.add(covered(frame.image, cover, seed++));
      taken += static_cast<std::size_t>(enrolment.views());
    }
    EXPECT_LE(taken, frames.size() / 10) << eval::to_string(cover);
  }
  std::size_t taken = 0;
  for (const Frame& frame : frames) {
    Enrolment enrolment(face_consent("c-1"), recogniser(), nullptr);
    enrolment.add(frame.image);
    taken += static_cast<std::size_t>(enrolment.views());
  }
  EXPECT_GE(taken, frames.size() * 8 / 10);
}

TEST_F(CoverTest, ACoveredFaceIsNotRecognised) {
  auto frames = frames_of(media("cap13_edit2.mp4"), seconds(1), seconds(4), 6);
  for (Frame& frame : frames) frame.image = covered(frame.image, eval::Cover::mask, 7);
  // Whoever wears such a mask looks like this template.
  const auto gallery = gallery_of(frames.front().image);
  Analyser analyser({}, recogniser());
  EXPECT_EQ(matches(analyser, frames, gallery.get()), 0U);
  EXPECT_EQ(analyser.counters().faces_covered, 1U);
}

class UprightTest : public CoverTest {};

TEST_F(UprightTest, WhichWayUpAFaceIsCanBeTold) {
  for (const char* name : {"audrey.jpg", "franck_01829.jpg", "franck_04117.jpg"}) {
    const auto image = Image::load(media(name));
    ASSERT_TRUE(image.has_value());
    for (const int degrees : {0, 90, 180, 270}) {
      const Image turned = image->turned(degrees);
      const auto face = recogniser().portrait(turned);
      if (!face) continue;  // found in fewer ways than it lies
      EXPECT_EQ((degrees + recogniser().turn_of(turned, *face)) % 360, 0) << name << ' ' << degrees;
    }
  }
}

TEST_F(UprightTest, AFaceUpsideDownIsNotRecognisedAndTheCameraIsHintedAt) {
  std::vector<Frame> frames;
  for (int visit = 0; visit < 3; ++visit) {
    for (Frame& frame : frames_of(media("cap13_edit2.mp4"), seconds(1), seconds(3), 5)) {
      frame.image = frame.image.turned(180);
      frame.at += visit * seconds(10);
      frames.push_back(std::move(frame));
    }
  }
  const auto gallery = gallery_of(frames.front().image);
  Analyser analyser({}, recogniser());
  EXPECT_EQ(matches(analyser, frames, gallery.get()), 0U);
  EXPECT_EQ(analyser.counters().faces_upright, 0U);
  EXPECT_EQ(turned_by(analyser.counters()), 180);
}

TEST_F(UprightTest, OneUpsideDownAmongManyIsNoHint) {
  AnalyserCounters counters;
  EXPECT_FALSE(turned_by(counters));
  counters.faces_turned = {0, 3, 0};
  EXPECT_EQ(turned_by(counters), 180);
  counters.faces_upright = 40;
  EXPECT_FALSE(turned_by(counters));
}

TEST_F(UprightTest, EnrolmentSaysThatTheCameraIsNotUpright) {
  const auto image = Image::load(media("franck_01829.jpg"));
  ASSERT_TRUE(image.has_value());
  Enrolment enrolment(face_consent("c-1"), recogniser(), nullptr);
  EXPECT_EQ(enrolment.add(image->turned(180)), Guidance::upright);
  EXPECT_EQ(enrolment.add(*image), Guidance::none);
}

TEST_F(UprightTest, ATurnedCameraSeesAsIfItHungUpright) {
  const ClipOptions clip{media("cap13_edit2.mp4"), seconds(1), seconds(2), 5};
  const auto plain = make_clip_source(clip)->next({});
  const auto source = make_turned_source(make_clip_source(clip), 90);
  const auto turned = source->next({});
  ASSERT_TRUE(plain.has_value() && turned.has_value());
  EXPECT_EQ(turned->image.width(), plain->image.height());
  EXPECT_EQ(turned->at, plain->at);
  EXPECT_EQ(source->state(), SourceState::running);
}

}  // namespace
}  // namespace welcome::vision
