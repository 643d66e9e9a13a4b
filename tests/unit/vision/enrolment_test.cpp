// SPDX-License-Identifier: Apache-2.0
#include "vision/enrolment.h"

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>
#include <set>

#include "tests/unit/vision/clips.h"
#include "tests/unit/vision/support.h"

namespace welcome::vision {
namespace {

using std::chrono::seconds;
using testing::face_consent;
using testing::media;

class EnrolmentTest : public ::testing::Test {
 protected:
  void SetUp() override { WELCOME_NEEDS_MODELS_AND_MEDIA(); }

  static Recogniser& recogniser() {
    static Recogniser instance(load_model_pack(testing::models_dir(), "best"));
    return instance;
  }
  static std::unique_ptr<FrameSource> clip(const std::string& name, seconds from, seconds to) {
    return make_clip_source({media(name), from, to, 5});
  }
};

TEST_F(EnrolmentTest, MakesSeveralViewsOfOnePerson) {
  const auto source = clip("franck.mp4", seconds(0), seconds(40));
  const auto enrolled = enrol(*source, face_consent("c-paul"), recogniser(), nullptr);
  ASSERT_TRUE(enrolled.has_value()) << sentence(enrolled.error());
  EXPECT_EQ(enrolled->customer, CustomerId("c-paul"));
  ASSERT_EQ(enrolled->templates.size(), 3U);
  EXPECT_EQ(enrolled->templates[0].model(), recogniser().model().name());
}

TEST_F(EnrolmentTest, RefusesAFaceThatIsEnrolledUnderAnotherCustomer) {
  const FaceConsent paul = face_consent("c-paul");
  const auto first = enrol(*clip("franck.mp4", seconds(0), seconds(40)), paul, recogniser(), {});
  ASSERT_TRUE(first.has_value());
  Gallery::Builder builder(recogniser().model(), OperatingPoint::of(recogniser().pack(), 1e-4));
  for (const FaceTemplate& face : first->templates) ASSERT_TRUE(builder.add(paul, face));
  const auto everybody = std::move(builder).build(1);

  const auto other = enrol(*clip("franck.mp4", seconds(100), seconds(130)), face_consent("c-eve"),
                           recogniser(), everybody);
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error(), EnrolmentEnd::somebody_else);

  const auto again =
      enrol(*clip("franck.mp4", seconds(100), seconds(130)), paul, recogniser(), everybody);
  EXPECT_TRUE(again.has_value());  // the same customer may enrol again
}

TEST_F(EnrolmentTest, TellsSeveralPeopleToComeOneByOne) {
  Enrolment enrolment(face_consent("c-paul"), recogniser(), nullptr);
  const auto group = Image::load(testing::group_picture(1));
  ASSERT_TRUE(group.has_value());
  EXPECT_EQ(enrolment.add(*group), Guidance::several_faces);
  EXPECT_FALSE(enrolment.complete());
  EXPECT_EQ(enrolment.finish().error(), EnrolmentEnd::several_people);
}

TEST_F(EnrolmentTest, AStillPictureNeverGivesSeveralViews) {
  Enrolment enrolment(face_consent("c-mia"), recogniser(), nullptr);
  const auto picture = Image::load(media("audrey.jpg"));
  ASSERT_TRUE(picture.has_value());
  EXPECT_EQ(enrolment.add(*picture), Guidance::none);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(enrolment.add(*picture), Guidance::turn_a_little);
  EXPECT_FALSE(enrolment.complete());
}

TEST_F(EnrolmentTest, AsksToUncoverAFaceThatIsHalfHidden) {
  const auto picture = Image::load(media("audrey.jpg"));
  ASSERT_TRUE(picture.has_value());
  const auto face = recogniser().portrait(*picture);
  ASSERT_TRUE(face.has_value());
  cv::Mat pixels = picture->mat().clone();
  const cv::Rect mouth(
      static_cast<int>(face->box.x), static_cast<int>(face->box.y + face->box.height * 0.6F),
      static_cast<int>(face->box.width), static_cast<int>(face->box.height * 0.5F));
  cv::rectangle(pixels, mouth, cv::Scalar(190, 190, 180), cv::FILLED);  // a mask
  const Image masked(pixels);
  const QualityLimits limits = EnrolmentOptions{}.limits;
  const Quality open = measure_quality(*face);
  EXPECT_EQ(first_defect(open, limits), Defect::none) << open.part_contrast;
  Face covered = *face;
  covered.aligned = align(masked, face->landmarks);
  EXPECT_EQ(first_defect(measure_quality(covered), limits), Defect::covered);
}

// What stood in the way is the last word, and not another one.
TEST_F(EnrolmentTest, SaysWhatStoodInTheWay) {
  WELCOME_NEEDS_FFMPEG();
  const testing::ClipFolder folder;
  const auto end_of = [](const std::filesystem::path& clip, EnrolmentOptions options = {}) {
    const auto made = enrol(*make_clip_source({clip, {}, {}, 5}), face_consent("c-1"), recogniser(),
                            nullptr, options);
    return made ? std::string("enrolled") : std::string(to_string(made.error()));
  };
  const std::string paul = "-ss 100 -t 4 -i '" + media("franck.mp4").string() + "' -an -r 5 ";
  const std::string frozen = "-ss 100 -t 0.1 -i '" + media("franck.mp4").string() +
                             "' -an -vf fps=5,tpad=stop_mode=clone:stop_duration=3";
  EXPECT_EQ(end_of("/nowhere.mp4"), "no_clip");
  EXPECT_EQ(end_of(WELCOME_SOURCE_DIR "/README.md"), "no_video");
  EXPECT_EQ(end_of(folder.make("sound.mp4", "-f lavfi -i sine -t 1")), "no_video");
  EXPECT_EQ(end_of(folder.make("room.mp4", "-f lavfi -i smptebars=size=640x480:rate=5 -t 2")),
            "nobody");
  EXPECT_EQ(
      end_of(folder.make("night.mp4", paul + "-vf colorlevels=romax=0.06:gomax=0.06:bomax=0.06")),
      "too_dark");
  EXPECT_EQ(end_of(folder.make("far.mp4", paul + "-vf scale=120:96,pad=640:480:260:190:gray")),
            "too_far");
  EXPECT_EQ(end_of(folder.make("pair.mp4", paul + "-vf 'split[a][b];[a][b]hstack'")),
            "several_people");
  EXPECT_EQ(end_of(folder.make("turned.mp4", paul + "-vf hflip,vflip")), "not_upright");
  EXPECT_EQ(end_of(folder.make("short.mp4", paul + "-frames:v 1")), "too_short");
  EXPECT_EQ(end_of(folder.make("still.mp4", frozen)), "same_view");
  EXPECT_EQ(end_of(folder.make("blurred.mp4", paul + "-vf boxblur=5")), "unsteady");
}

TEST(Obstacles, AGoodViewForgivesWhatWasBeforeIt) {
  Obstacles obstacles;
  EXPECT_EQ(obstacles.worst(), EnrolmentEnd::too_short);
  for (int i = 0; i < 5; ++i) obstacles.add(Guidance::closer);
  obstacles.add(Guidance::uncover);
  EXPECT_EQ(obstacles.worst(), EnrolmentEnd::too_far);
  obstacles.add(Guidance::none);
  obstacles.add(Guidance::uncover);
  EXPECT_EQ(obstacles.worst(), EnrolmentEnd::covered);
}

TEST(EnrolmentEnd, HasAWordAndASentenceOfItsOwnEach) {
  std::set<std::string_view> words;
  std::set<std::string_view> sentences;
  constexpr int kCount = static_cast<int>(EnrolmentEnd::not_stored) + 1;
  for (int i = 0; i < kCount; ++i) {
    words.insert(to_string(static_cast<EnrolmentEnd>(i)));
    sentences.insert(sentence(static_cast<EnrolmentEnd>(i)));
  }
  EXPECT_EQ(words.size(), static_cast<std::size_t>(kCount));
  EXPECT_EQ(sentences.size(), static_cast<std::size_t>(kCount));
  EXPECT_EQ(words.count(""), 0U);
}

TEST(Guidance, HasWordsForEverything) {
  for (int i = 0; i <= static_cast<int>(Guidance::done); ++i) {
    EXPECT_FALSE(to_string(static_cast<Guidance>(i)).empty());
  }
}

}  // namespace
}  // namespace welcome::vision
