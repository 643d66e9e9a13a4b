// SPDX-License-Identifier: Apache-2.0
#include "vision/face_template.h"

#include <cstring>
#include <gtest/gtest.h>
#include <type_traits>

#include "tests/unit/vision/support.h"

namespace welcome::vision {
namespace {

using testing::along;
using testing::face_consent;

// No token, no template: these are the doors that must stay shut.
static_assert(!std::is_constructible_v<FaceConsent, CustomerId, WallTime>);
static_assert(!std::is_default_constructible_v<FaceConsent>);
static_assert(!std::is_constructible_v<FaceTemplate, std::string, Embedding>);
static_assert(!std::is_constructible_v<FaceTemplate, std::string, std::vector<float>>);
static_assert(!std::is_default_constructible_v<FaceTemplate>);

TEST(FaceTemplate, SurvivesTheWayThroughTheStore) {
  const FaceTemplate made(face_consent("c-1"), "model-a", along(2, 0.3F));
  const auto bytes = made.to_bytes();
  const auto back = FaceTemplate::from_bytes(bytes);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->model(), "model-a");
  EXPECT_EQ(back->to_bytes(), bytes);
}

// Of two recognisers, each with the numbers that are its own.
FaceTemplate of_two() {
  Embedding face;
  for (const float value : along(2, 0.3F).values) face.values.push_back(0.6F * value);
  for (const float value : along(1).values) face.values.push_back(0.8F * value);
  return {face_consent("c-1"), testing::model_of({{"model-a", 8, 0.36}, {"model-b", 8, 0.64}}),
          face};
}

TEST(FaceTemplate, OfSeveralRecognisersSurvivesTheWayThroughTheStore) {
  const FaceTemplate made = of_two();
  EXPECT_EQ(made.model(), "model-a+model-b");
  const auto back = FaceTemplate::from_bytes(made.to_bytes());
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->model(), "model-a+model-b");
  EXPECT_EQ(back->to_bytes(), made.to_bytes());
  EXPECT_TRUE(back->fits("model-b"));
  EXPECT_FALSE(back->fits("model-c"));
  EXPECT_FALSE(back->fits(testing::model_of({{"model-a", 16, 1}})));  // another net of that name
}

// As boxes have stored them before there were packs of several.
TEST(FaceTemplate, OfOneRecogniserIsStoredAsItAlwaysWas) {
  const auto bytes = FaceTemplate(face_consent("c-1"), "m", along(0, 0, 2)).to_bytes();
  const std::vector<std::uint8_t> always{'W', 'F', 'T', '1',  1,    0, 'm', 2, 0, 0,
                                         0,   0,   0,   0x80, 0x3F, 0, 0,   0, 0};
  EXPECT_EQ(bytes, always);
}

class FaceTemplateBytes : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(OneAndTwoParts, FaceTemplateBytes, ::testing::Bool());

TEST_P(FaceTemplateBytes, AreRefusedWhenDamagedAtEveryLength) {
  const auto bytes = GetParam() ? of_two().to_bytes()
                                : FaceTemplate(face_consent("c-1"), "model-a", along(2)).to_bytes();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto cut = FaceTemplate::from_bytes(std::span(bytes).first(length));
    ASSERT_FALSE(cut.has_value()) << length;
    EXPECT_EQ(cut.error().code, ErrorCode::corrupt);
  }
  auto longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(FaceTemplate::from_bytes(longer).has_value());
}

TEST(FaceTemplate, RefusesNumbersThatAreNoUnitVector) {
  auto bytes = FaceTemplate(face_consent("c-1"), "model-a", along(0)).to_bytes();
  bytes[bytes.size() - 1] = 0x7F;  // the last float becomes huge
  bytes[bytes.size() - 2] = 0xC0;  // or NaN
  EXPECT_FALSE(FaceTemplate::from_bytes(bytes).has_value());
}

// What a template says, out of its bytes.
Embedding said_by(const FaceTemplate& face) {
  const auto bytes = face.to_bytes();
  Embedding said;
  said.values.resize((bytes.size() - 4 - 2 - face.model().size() - 4) / sizeof(float));
  std::memcpy(said.values.data(), bytes.data() + bytes.size() - said.values.size() * sizeof(float),
              said.values.size() * sizeof(float));
  return said;
}
FaceTemplate template_of(const Embedding& face, const char* model = "model-a") {
  return {face_consent("c-1"), model, face};
}

TEST(FaceTemplateAged, MovesALittleTowardsTheView) {
  const std::vector enrolled{template_of(along(4)), template_of(along(0))};
  const FaceTemplate view = template_of(along(0, 0.5F));
  const auto aged =
      FaceTemplate::aged(face_consent("c-1"), "model-a", enrolled, nullptr, view, 0.5);
  ASSERT_TRUE(aged.has_value());
  const float before = cosine(along(0), along(0, 0.5F));
  const float after = cosine(said_by(*aged), along(0, 0.5F));
  EXPECT_GT(after, before);
  EXPECT_LT(after - before, 0.15F * (1 - before) + 0.01F);
  EXPECT_NEAR(cosine(said_by(*aged), said_by(*aged)), 1, 1e-5);
  // The next one starts from there.
  const auto again =
      FaceTemplate::aged(face_consent("c-1"), "model-a", enrolled, &*aged, view, 0.5);
  ASSERT_TRUE(again.has_value());
  EXPECT_GT(cosine(said_by(*again), along(0, 0.5F)), after);
}

TEST(FaceTemplateAged, NeverLeavesTheNeighbourhoodOfTheEnrolledOnes) {
  const std::vector enrolled{template_of(along(0))};
  std::optional<FaceTemplate> aged;
  // Views that are just about accepted, for years, all to the same side.
  const FaceTemplate view = template_of(along(0, 1.7F));
  for (int visit = 0; visit < 1000; ++visit) {
    auto next = FaceTemplate::aged(face_consent("c-1"), "model-a", enrolled,
                                   aged ? &*aged : nullptr, view, 0.5);
    ASSERT_TRUE(next.has_value());
    aged = std::move(next);
  }
  EXPECT_GE(cosine(said_by(*aged), along(0)), 0.5F);
  // Somebody who is like the aged one only is not.
  EXPECT_FALSE(FaceTemplate::aged(face_consent("c-1"), "model-a", enrolled, &*aged,
                                  template_of(along(0, 2.5F)), 0.5));
}

TEST(FaceTemplateAged, OfAnotherModelOrOfNobodyIsNone) {
  const FaceTemplate view = template_of(along(0));
  const std::vector other{template_of(along(0), "model-b")};
  EXPECT_FALSE(FaceTemplate::aged(face_consent("c-1"), "model-a", other, nullptr, view, 0.5));
  EXPECT_FALSE(FaceTemplate::aged(face_consent("c-1"), "model-a", {}, nullptr, view, 0.5));
}

TEST(Cosine, OfVectorsOfDifferentModelsIsNoMatch) {
  EXPECT_FLOAT_EQ(cosine(along(0), along(0)), 1.0F);
  EXPECT_FLOAT_EQ(cosine(along(0, 0, 8), along(0, 0, 16)), -1.0F);
}

}  // namespace
}  // namespace welcome::vision
