// SPDX-License-Identifier: Apache-2.0
#include "vision/gallery.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

#include "tests/unit/vision/support.h"

namespace welcome::vision {
namespace {

using testing::along;
using testing::face_consent;

// Thresholds on a straight line: strangers about 0 with a deviation of 0.11.
OperatingPoint point() { return {{0.3399, 0.4091, 0.4691}, 1e-4, 0.05}; }

Result<void> add(Gallery::Builder& builder, const std::string& customer, const Embedding& face,
                 int refuted = 0) {
  const FaceConsent consent = face_consent(customer);
  return builder.add(consent, FaceTemplate(consent, "m", face), refuted);
}

TEST(Gallery, FindsTheBestPersonOverAllOfTheirTemplates) {
  Gallery::Builder builder("m", point());
  ASSERT_TRUE(add(builder, "c-a", along(0)));
  ASSERT_TRUE(add(builder, "c-b", along(3)));
  ASSERT_TRUE(add(builder, "c-a", along(5)));
  const auto gallery = std::move(builder).build(7);
  EXPECT_EQ(gallery->generation(), 7U);
  EXPECT_EQ(gallery->people(), 2U);
  EXPECT_EQ(gallery->templates(), 3U);

  const auto match = gallery->match(along(5, 0.1F));
  ASSERT_TRUE(match);
  EXPECT_EQ(match->customer, CustomerId("c-a"));
  EXPECT_GT(match->similarity, 0.99F);
  EXPECT_LT(match->second, 0.1F);
  EXPECT_TRUE(match->accepted);
}

TEST(Gallery, ASecondTemplateOfTheSamePersonIsNoRival) {
  Gallery::Builder builder("m", point());
  ASSERT_TRUE(add(builder, "c-a", along(0)));
  ASSERT_TRUE(add(builder, "c-a", along(0, 0.05F)));
  const auto match = std::move(builder).build(1)->match(along(0, 0.02F));
  ASSERT_TRUE(match);
  EXPECT_TRUE(match->accepted);
  EXPECT_FLOAT_EQ(match->second, -1.0F);
}

TEST(Gallery, RefusesAFaceThatTwoPeopleFitAlmostEquallyWell) {
  Gallery::Builder builder("m", point());
  ASSERT_TRUE(add(builder, "c-a", along(0, 0.5F)));
  ASSERT_TRUE(add(builder, "c-b", along(0, 0.55F)));
  const auto match = std::move(builder).build(1)->match(along(0, 0.51F));
  ASSERT_TRUE(match);
  EXPECT_GT(match->similarity, 0.9F);
  EXPECT_FALSE(match->accepted);
}

TEST(Gallery, RefusesAStranger) {
  Gallery::Builder builder("m", point());
  ASSERT_TRUE(add(builder, "c-a", along(0)));
  const auto match = std::move(builder).build(1)->match(along(4));
  ASSERT_TRUE(match);
  EXPECT_FALSE(match->accepted);
}

TEST(Gallery, InEightBitNumbersSaysWhatFloatsSay) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  const auto random_face = [&] {
    Embedding face;
    float square = 0;
    for (int i = 0; i < 512; ++i) {
      face.values.push_back(normal(random));
      square += face.values.back() * face.values.back();
    }
    for (float& value : face.values) value /= std::sqrt(square);
    return face;
  };
  for (int i = 0; i < 200; ++i) {
    const Embedding enrolled = random_face();
    Embedding seen = random_face();
    for (std::size_t k = 0; k < 512; ++k) {
      seen.values[k] = 0.7F * enrolled.values[k] + 0.3F * seen.values[k];
    }
    const float norm = std::sqrt(cosine(seen, seen));
    for (float& value : seen.values) value /= norm;
    Gallery::Builder builder("m", point());
    ASSERT_TRUE(add(builder, "c-a", enrolled));
    EXPECT_NEAR(std::move(builder).build(1)->match(seen)->similarity, cosine(enrolled, seen),
                0.003F);
  }
}

// A face between two views of a person is more like their mean than like either.
TEST(Gallery, ComparesWithTheMeanOfAPersonsViewsAsWell) {
  const auto similarity = [](bool both) {
    Gallery::Builder builder("m", point());
    EXPECT_TRUE(add(builder, "c-a", along(0)));
    if (both) {
      EXPECT_TRUE(add(builder, "c-a", along(1)));
    }
    const auto gallery = std::move(builder).build(1);
    EXPECT_EQ(gallery->templates(), both ? 2U : 1U);
    return gallery->match(along(0, 1))->similarity;
  };
  EXPECT_NEAR(similarity(false), 0.707F, 0.01F);
  EXPECT_NEAR(similarity(true), 1.0F, 0.01F);
}

// The mean of two recognisers' cosines, by one product; a template knows which numbers are whose.
TEST(Gallery, WeighsTheWordOfSeveralRecognisers) {
  const FaceModel both = testing::model_of({{"a", 8, 0.25}, {"b", 8, 0.75}});
  const auto joined = [](const Embedding& a, const Embedding& b) {
    Embedding face;
    for (const float value : a.values) face.values.push_back(0.5F * value);
    for (const float value : b.values) face.values.push_back(std::sqrt(0.75F) * value);
    return face;
  };
  const Embedding enrolled = joined(along(0), along(0));
  const Embedding seen = joined(along(4), along(0));  // strangers to a, the same to b
  EXPECT_NEAR(cosine(enrolled, seen), 0.75F, 1e-5F);
  const FaceConsent consent = face_consent("c-a");
  const FaceTemplate face(consent, both, enrolled);
  const auto match = [&](const FaceModel& model, const Embedding& probe) {
    Gallery::Builder builder(model, point());
    EXPECT_TRUE(builder.add(consent, face));
    return std::move(builder).build(1)->match(probe)->similarity;
  };
  EXPECT_NEAR(match(both, seen), 0.75F, 0.003F);
  // One of them alone has what it needs in the same template, in whichever order.
  EXPECT_NEAR(match("b", along(0)), 1.0F, 0.003F);
  EXPECT_NEAR(match("a", along(4)), 0.0F, 0.003F);
  EXPECT_NEAR(match(testing::model_of({{"b", 8, 0.75}, {"a", 8, 0.25}}),
                    [&] {
                      Embedding turned;
                      for (const float v : along(0).values)
                        turned.values.push_back(std::sqrt(0.75F) * v);
                      for (const float v : along(4).values) turned.values.push_back(0.5F * v);
                      return turned;
                    }()),
              0.75F, 0.003F);
}

TEST(Gallery, RefusesATemplateThatLacksOneOfTheRecognisers) {
  const FaceConsent consent = face_consent("c-a");
  Gallery::Builder builder(testing::model_of({{"a", 8, 0.5}, {"b", 8, 0.5}}), point());
  const auto added = builder.add(consent, FaceTemplate(consent, "a", along(0)));
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, ErrorCode::not_found);
}

TEST(Gallery, ThatIsEmptyMatchesNobody) {
  EXPECT_FALSE(Gallery::Builder("m", point()).build(1)->match(along(0)));
}

TEST(Gallery, AsksForReEnrolmentWhenTheModelChanged) {
  Gallery::Builder builder("new-model", point());
  const auto added = add(builder, "c-a", along(0));
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, ErrorCode::not_found);
  EXPECT_TRUE(std::move(builder).build(1)->empty());
}

TEST(Gallery, NotThisPersonRaisesTheBarForThatPersonAlone) {
  const Embedding face = along(0, 1.6F);  // similarity 0.53 with along(0)
  const auto accepted = [&](int refuted) {
    Gallery::Builder builder("m", point());
    EXPECT_TRUE(add(builder, "c-a", along(0), refuted));
    EXPECT_TRUE(add(builder, "c-b", along(4)));
    return std::move(builder).build(1)->match(face)->accepted;
  };
  EXPECT_TRUE(accepted(0));
  EXPECT_FALSE(accepted(3));
}

TEST(OperatingPoint, IsTightenedByTheNumberOfPeople) {
  const OperatingPoint p = point();
  EXPECT_LT(p.threshold(1), p.threshold(10));
  EXPECT_LT(p.threshold(10), p.threshold(5000));
  EXPECT_NEAR(p.threshold(10), p.at(1e-5), 1e-9);
}

TEST(OperatingPoint, KeepsItsPromiseToTheGroupThatIsConfusedMost) {
  OperatingPoint p = point();
  const double for_all = p.at(1e-5);
  p.thresholds.worst_group = 3.8;
  // Where people on the whole are confused 3.8 times more seldom.
  EXPECT_NEAR(p.at(3.8e-5), for_all, 1e-9);
  EXPECT_GT(p.at(1e-5), for_all + 0.02);
}

TEST(OperatingPoint, FitsTheThresholdsThatWereMeasured) {
  ModelPack pack;
  pack.thresholds = {.fmr_1e3 = 0.34, .fmr_1e4 = 0.41, .fmr_1e5 = 0.49};
  const OperatingPoint p = OperatingPoint::of(pack, 1e-4);
  EXPECT_NEAR(p.at(1e-3), 0.34, 1e-6);
  EXPECT_NEAR(p.at(1e-4), 0.41, 1e-6);
  EXPECT_NEAR(p.at(1e-5), 0.49, 1e-6);
  EXPECT_NEAR(p.at(1e-6), 0.56, 0.01);  // as steep as the last piece
  EXPECT_GT(p.at(1e-2), 0.2);
}

}  // namespace
}  // namespace welcome::vision
