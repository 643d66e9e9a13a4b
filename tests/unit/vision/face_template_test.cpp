#include "vision/face_template.h"

#include <gtest/gtest.h>
#include <type_traits>

#include "tests/unit/vision/support.h"

namespace welcome::vision {
namespace {

using testing::along;
using testing::consent_of;

// No token, no template: these are the doors that must stay shut.
static_assert(!std::is_constructible_v<FaceConsent, CustomerId, WallTime>);
static_assert(!std::is_default_constructible_v<FaceConsent>);
static_assert(!std::is_constructible_v<FaceTemplate, std::string, Embedding>);
static_assert(!std::is_constructible_v<FaceTemplate, std::string, std::vector<float>>);
static_assert(!std::is_default_constructible_v<FaceTemplate>);

TEST(FaceTemplate, SurvivesTheWayThroughTheStore) {
  const FaceTemplate made(consent_of("c-1"), "model-a", along(2, 0.3F));
  const auto bytes = made.to_bytes();
  const auto back = FaceTemplate::from_bytes(bytes);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->model(), "model-a");
  EXPECT_EQ(back->to_bytes(), bytes);
}

TEST(FaceTemplate, RefusesDamagedBytesAtEveryLength) {
  const auto bytes = FaceTemplate(consent_of("c-1"), "model-a", along(2)).to_bytes();
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
  auto bytes = FaceTemplate(consent_of("c-1"), "model-a", along(0)).to_bytes();
  bytes[bytes.size() - 1] = 0x7F;  // the last float becomes huge
  bytes[bytes.size() - 2] = 0xC0;  // or NaN
  EXPECT_FALSE(FaceTemplate::from_bytes(bytes).has_value());
}

TEST(Cosine, OfVectorsOfDifferentModelsIsNoMatch) {
  EXPECT_FLOAT_EQ(cosine(along(0), along(0)), 1.0F);
  EXPECT_FLOAT_EQ(cosine(along(0, 0, 8), along(0, 0, 16)), -1.0F);
}

}  // namespace
}  // namespace welcome::vision
