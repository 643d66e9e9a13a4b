// SPDX-License-Identifier: Apache-2.0
#include "contract/signing.h"

#include <array>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sodium.h>
#include <string>

#include "contract/signed_text.h"
#include "core/base64.h"

namespace welcome::contract {
namespace {

using nlohmann::json;

TEST(CanonicalJson, SortsMembersAndDropsWhiteSpace) {
  EXPECT_EQ(
      *canonical_json(" { \"b\" : [ 1 , true , null ] , \"a\" : { \"d\" : \"x\" , \"c\" : -5 } } "),
      R"({"a":{"c":-5,"d":"x"},"b":[1,true,null]})");
}

TEST(CanonicalJson, EscapesAsLittleAsPossible) {
  EXPECT_EQ(*canonical_json(R"("é\u20ac\/\u0009\u001f\"\\")"), "\"é€/\\t\\u001f\\\"\\\\\"");
}

// RFC 8785, section 3.2.3: the order is that of UTF-16 code units, not of code points.
TEST(CanonicalJson, SortsByUtf16CodeUnits) {
  const json value{{"\u20ac", 1},     {"\r", 2},     {"\ufb33", 3}, {"1", 4},
                   {"\U0001f600", 5}, {"\u0080", 6}, {"\u00f6", 7}};
  EXPECT_EQ(
      *canonical_json(value.dump()),
      "{\"\\r\":2,\"1\":4,\"\u0080\":6,\"\u00f6\":7,\"\u20ac\":1,\"\U0001f600\":5,\"\ufb33\":3}");
}

TEST(CanonicalJson, RefusesNumbersThatLibrariesWriteDifferently) {
  EXPECT_FALSE(canonical_json("1.5"));
  EXPECT_FALSE(canonical_json("[1e3]"));
  EXPECT_FALSE(canonical_json("9007199254740992"));
  EXPECT_FALSE(canonical_json("-9007199254740992"));
  EXPECT_TRUE(canonical_json("9007199254740991"));
}

std::array<std::uint8_t, 32> seed(std::uint8_t first) {
  std::array<std::uint8_t, 32> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(first + i);
  return bytes;
}

TEST(Signing, IsTakenApartByAnybodyWithThePublicKey) {
  const Signer signer("k1", seed(0));
  KeyRing keys;
  keys.pin("k1", signer.public_key());
  const std::string text = *signer.sign(R"({"b":1,"a":"x"})");
  EXPECT_TRUE(keys.verify(text));
  // White space and order are not part of what is signed.
  EXPECT_TRUE(keys.verify(json::parse(text).dump(2)));
  json changed = json::parse(text);
  changed["b"] = 2;
  EXPECT_FALSE(keys.verify(changed.dump()));
}

// The vector of docs/protocol.md: seed 00 01 … 1f.
TEST(Signing, GivesThePublishedVector) {
  const Signer signer("k1", seed(0));
  const json value = json::parse(*signer.sign(
      R"({"v":1,"id":"ctl-3","seq":3,"tenant":"demo","store":"_all","function":"face","paused":true,"at":"2026-05-04T08:15:30.250Z"})"));
  EXPECT_EQ(value["sig"]["key"], "k1");
  EXPECT_EQ(
      value["sig"]["value"],
      "bZS7SFdGP3xhUh+62jpu0egkDWX1s/dnm7Nkwzdd5xIVFJac1h0ecXfPiiZ8HL/ahXpw4phCh/qAMI6ZlgWIDA==");
  KeyRing keys;
  keys.pin("k1", signer.public_key());
  EXPECT_EQ(keys.to_text(), "k1 A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\n");
  EXPECT_EQ(fingerprint(signer.public_key()), "9d24-e2ee-af27-c2a0");
}

// What is long is signed by another library: the bytes are those of the first, and each checks
// them.
TEST(Signing, SignsWhatIsLongAsWhatIsShort) {
  const auto key = seed(3);
  const Signer signer("k1", key);
  std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> pk{};
  std::array<unsigned char, crypto_sign_SECRETKEYBYTES> sk{};
  crypto_sign_seed_keypair(pk.data(), sk.data(), key.data());
  KeyRing keys;
  keys.pin("k1", signer.public_key());
  std::string message;
  for (const std::size_t size :
       {0, 1, 127, 4 * 1024 - 1, 4 * 1024, 4 * 1024 + 1, 16 * 1024 - 1, 16 * 1024, 200'000}) {
    while (message.size() < size) message += static_cast<char>(message.size() * 31 % 251);
    std::array<unsigned char, crypto_sign_BYTES> wanted{};
    crypto_sign_detached(wanted.data(), nullptr,
                         reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                         sk.data());
    EXPECT_EQ(signer.sign_bytes(message), to_base64(wanted)) << size;
    EXPECT_TRUE(keys.verify_bytes(message, "k1", signer.sign_bytes(message))) << size;
  }
}

// The second one: a batch, as it is sent.
TEST(Signing, GivesThePublishedVectorOfABatch) {
  const Signer signer("k1", seed(0));
  const std::string batch =
      R"({"v":1,"collection":"consents","epoch":"e1","kind":"delta","from_seq":12,"to_seq":12,)"
      R"("head":{"tenant":"demo","scope":"all","seq":12,)"
      R"("digest":"06f0f3dac727640e2340ea84ea05f1fe","at":"2026-05-04T08:15:30.250Z"},"items":[]})";
  const std::string sent = sign_text(signer, batch);
  EXPECT_EQ(
      sent,
      batch.substr(0, batch.size() - 1) +
          R"(,"sig":{"key":"k1","value":")"
          "3QwKwqTW7ai1ioy8086JSXr5FPuTnZZXFAMLE6uYzQjEUqvVWD7hhz8pZn3hdXL+Xt4OvVortSFlqnmgzR45Dg=="
          R"("}})");
  KeyRing keys;
  keys.pin("k1", signer.public_key());
  EXPECT_EQ(*verified_text(keys, sent), batch);
}

TEST(Signing, APublicKeyIsReadAsItIsWritten) {
  const Signer signer("box-1", seed(7));
  EXPECT_EQ(*public_key_from_text(public_key_text(signer.public_key())), signer.public_key());
  for (const char* bad : {"", "x", "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMQ==",
                          "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbh="}) {
    EXPECT_FALSE(public_key_from_text(bad)) << bad;
  }
}

TEST(KeyRing, TakesANewKeyWhileTheOldOneStillCounts) {
  const Signer old_key("2025", seed(1)), new_key("2026", seed(2));
  KeyRing keys;
  keys.pin("2025", old_key.public_key());
  EXPECT_FALSE(keys.verify(*new_key.sign("{}")));
  keys.pin("2026", new_key.public_key());
  EXPECT_TRUE(keys.verify(*old_key.sign("{}")));
  EXPECT_TRUE(keys.verify(*new_key.sign("{}")));
  keys.drop("2025");
  EXPECT_FALSE(keys.verify(*old_key.sign("{}")));
  EXPECT_TRUE(keys.verify(*new_key.sign("{}")));
}

TEST(KeyRing, RefusesWhatIsNoSignature) {
  const Signer signer("k1", seed(0));
  KeyRing keys;
  keys.pin("k1", signer.public_key());
  for (const char* text :
       {"{}", R"({"sig":"x"})", R"({"sig":{"key":"k1"}})", R"({"sig":{"key":"k1","value":"AAAA"}})",
        R"({"sig":{"key":1,"value":2}})", "[]", "1", ""}) {
    EXPECT_FALSE(keys.verify(text)) << text;
  }
}

TEST(KeyRing, IsReadFromTextWithTheLineOfAMistake) {
  const Signer signer("k1", seed(0));
  KeyRing keys;
  keys.pin("k1", signer.public_key());
  const auto read = KeyRing::parse("# the CRM's keys\n\n" + keys.to_text());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->verify(*signer.sign("{}")));
  const auto wrong = KeyRing::parse("# fine\nk1 not-base64\n");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("line 2"), std::string::npos);
  EXPECT_FALSE(KeyRing::parse("k1\n"));
}

}  // namespace
}  // namespace welcome::contract
