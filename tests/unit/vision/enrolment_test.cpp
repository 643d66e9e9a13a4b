#include "vision/enrolment.h"

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

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
  ASSERT_TRUE(enrolled.has_value()) << enrolled.error().message;
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
  EXPECT_EQ(other.error().code, ErrorCode::refused);

  const auto again =
      enrol(*clip("franck.mp4", seconds(100), seconds(130)), paul, recogniser(), everybody);
  EXPECT_TRUE(again.has_value());  // the same customer may enrol anew
}

TEST_F(EnrolmentTest, TellsSeveralPeopleToComeOneByOne) {
  Enrolment enrolment(face_consent("c-paul"), recogniser(), nullptr);
  const auto group = Image::load(testing::group_picture(1));
  ASSERT_TRUE(group.has_value());
  EXPECT_EQ(enrolment.add(*group), Guidance::several_faces);
  EXPECT_FALSE(enrolment.complete());
  EXPECT_EQ(enrolment.finish().error().code, ErrorCode::not_found);
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

TEST_F(EnrolmentTest, AClipThatIsMissingOrNoClipIsAnErrorNotACrash) {
  EXPECT_EQ(enrol(*make_clip_source({"/nowhere.mp4", {}, {}, 0}), face_consent("c-1"), recogniser(),
                  nullptr)
                .error()
                .code,
            ErrorCode::not_found);
  EXPECT_EQ(enrol(*make_clip_source({media("audrey.jpg"), {}, {}, 0}), face_consent("c-1"),
                  recogniser(), nullptr)
                .error()
                .code,
            ErrorCode::not_found);
}

TEST(Guidance, HasWordsForEverything) {
  for (int i = 0; i <= static_cast<int>(Guidance::done); ++i) {
    EXPECT_FALSE(to_string(static_cast<Guidance>(i)).empty());
  }
}

}  // namespace
}  // namespace welcome::vision
