// SPDX-License-Identifier: Apache-2.0
// The code that a technician types, and what is made of it. The vectors are Node's (hkdfSync,
// chacha20-poly1305, Ed25519): another program comes to the same.

#include "provision/invitation.h"

#include <array>
#include <cctype>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <sodium.h>
#include <string>

#include "core/base64.h"

namespace welcome::provision {
namespace {

using testing::HasSubstr;

constexpr const char* kCode = "7K2QD-0M4XW-GZ9R3-TYBN6-HV5JC";
constexpr const char* kName = "DxFWZFQythj9IKzBDwlOIE/AiShVhdtC2OlLpRpVctg=";
constexpr const char* kSealed =
    "AAECAwQFBgcICQoLzkCqiK03MYlWjWa2S13h1yMy1TfLxeqE42aTlQIBcEHqcDykKd5hQXL07K7bfujG+Ux6b5Hr"
    "Qb0HU1S57nvnCZHGPaEP6miAoGwGu56ykvo6oc0UojmjRzO/nbxrJIGXH1c6M7Z3ZKbDCNACZdxAfrKXiUDmGZ32"
    "eSMkyKdSkWQSJ6o0vqgSjG1NxLXSGoiGcWcdnJI9zSpOW5VEnS33e+L5UstiBf0JNrlSRxFR9HJ6r18deGZU3Exj"
    "/+5uS1vEPP+/07BjuPeXw7S3fB6ngPxaMxg=";

class InvitationTest : public testing::Test {
 protected:
  InvitationTest() { EXPECT_GE(sodium_init(), 0); }
  static InvitationCode code(const std::string& text) { return *InvitationCode::read(text); }
  static Invitation invitation() {
    Invitation out;
    out.tenant = "demo";
    out.store = "aroma-1";
    out.box = "box-1";
    out.host = "broker.example";
    out.port = 8883;
    out.password = "s3cret";
    out.crm_keys = "crm-1 AAAA\n";
    out.expires_at = "2026-12-03T08:00:00.000Z";
    return out;
  }
};

TEST_F(InvitationTest, ACodeIsReadAsPeopleWriteIt) {
  const InvitationCode is = InvitationCode::fresh();
  const std::string text = is.text();
  ASSERT_EQ(text.size(), 29U);
  EXPECT_EQ(text.find_first_of("ILOU"), std::string::npos);
  std::string careless;
  for (const char c : text) {
    if (c == '-') continue;
    careless += c == '0' ? 'o' : c == '1' ? 'l' : static_cast<char>(std::tolower(c));
    careless += ' ';
  }
  const auto again = InvitationCode::read(careless);
  ASSERT_TRUE(again) << careless;
  EXPECT_EQ(again->text(), text);
  EXPECT_EQ(again->name(), is.name());
}

TEST_F(InvitationTest, ASlipOfThePenIsNoticed) {
  const std::string alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::string good = InvitationCode::fresh().text();
  std::erase(good, '-');
  ASSERT_TRUE(InvitationCode::read(good));
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const char c : alphabet) {
      std::string wrong = good;
      wrong[i] = c;
      EXPECT_EQ(InvitationCode::read(wrong).has_value(), c == good[i]) << wrong;
    }
    for (std::size_t j = i + 1; j < good.size(); ++j) {
      std::string swapped = good;
      std::swap(swapped[i], swapped[j]);
      EXPECT_EQ(InvitationCode::read(swapped).has_value(), good[i] == good[j]) << swapped;
    }
  }
  for (const std::string& bad : {std::string(), good.substr(1), good + "0", good.substr(1) + "U",
                                 good.substr(1) + "\xC3", std::string(100'000, '0')}) {
    EXPECT_EQ(InvitationCode::read(bad).error().code, ErrorCode::malformed);
  }
  EXPECT_THAT(InvitationCode::read(good.substr(1)).error().message, HasSubstr("24"));
}

TEST_F(InvitationTest, EveryCodeIsAnother) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(InvitationCode::fresh().name());
  EXPECT_EQ(seen.size(), 1000U);
}

TEST_F(InvitationTest, OpensWithItsCodeAlone) {
  const InvitationCode its = InvitationCode::fresh();
  const std::string sealed = seal(its, invitation());
  const auto opened = open(its, sealed);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->password, "s3cret");
  EXPECT_EQ(opened->port, 8883);
  EXPECT_TRUE(opened->tls);
  EXPECT_EQ(open(InvitationCode::fresh(), sealed).error().code, ErrorCode::refused);
}

TEST_F(InvitationTest, NothingOfItCanBeChanged) {
  const InvitationCode its = InvitationCode::fresh();
  const std::string raw = *from_base64(seal(its, invitation()));
  for (std::size_t i = 0; i < raw.size(); ++i) {
    std::string flipped = raw;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    EXPECT_FALSE(open(its, to_base64(flipped))) << i;
    EXPECT_FALSE(open(its, to_base64(raw.substr(0, i)))) << i;
  }
  EXPECT_FALSE(open(its, "no base64"));
  EXPECT_FALSE(open(its, std::string(kSealedMost + 4, 'A')));
}

TEST_F(InvitationTest, IsWhatAnotherProgramComesTo) {
  EXPECT_EQ(code(kCode).name(), kName);
  const auto opened = open(code(kCode), kSealed);
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->tenant, "demo");
  EXPECT_EQ(opened->host, "broker.example");
  EXPECT_EQ(opened->expires_at, "2026-12-03T08:00:00.000Z");
}

TEST_F(InvitationTest, ProofsAreOfThisCodeAndThisKey) {
  const std::array<std::uint8_t, 32> seed{1, 2, 3};
  const InvitationCode its = InvitationCode::fresh();
  const ProvisionRequest good = request_by(its, seed);
  EXPECT_EQ(good.invitation, its.name());
  EXPECT_TRUE(proves(good));
  const ProvisionRequest other = request_by(its, std::array<std::uint8_t, 32>{4});
  // A man in the middle puts his own key in.
  EXPECT_FALSE(proves({good.invitation, other.box_key, good.proof, other.box_proof}));
  // Somebody has the code, and says a key that is not theirs.
  EXPECT_FALSE(proves({good.invitation, good.box_key, good.proof, other.box_proof}));
  const ProvisionRequest another = request_by(InvitationCode::fresh(), seed);
  EXPECT_FALSE(proves({good.invitation, good.box_key, another.proof, good.box_proof}));
  EXPECT_FALSE(proves({"", "", "", ""}));
  EXPECT_FALSE(proves({good.invitation + "A", good.box_key, good.proof, good.box_proof}));
}

}  // namespace
}  // namespace welcome::provision
