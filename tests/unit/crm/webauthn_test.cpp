// SPDX-License-Identifier: Apache-2.0
// What is believed of a passkey: everything is right, or it is refused. With keys made here, and
// with the test vectors of the standard (Web Authentication Level 3, section 16).

#include "crm/door/webauthn.h"

#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "core/hex.h"
#include "crm/base64url.h"
#include "crm/door/cbor.h"
#include "crm/door/cose.h"
#include "harness/authenticator.h"

namespace welcome::crm::webauthn {
namespace {

using harness::Authenticator;
namespace cbor = harness::cbor;

const std::string kChallenge = to_base64url("a challenge of 32 random bytes..");
const Expected kExpected{kChallenge, "https://my.aroma.example", "my.aroma.example"};

class WebauthnTest : public testing::Test {
 protected:
  WebauthnTest() { EXPECT_GE(sodium_init(), 0); }
};

std::string why(const Result<Created>& result) { return result ? "" : result.error().message; }
std::string why(const Result<std::uint32_t>& result) {
  return result ? "" : result.error().message;
}

Result<Created> create(const Authenticator& key, const std::string& type = "webauthn.create",
                       const std::string& challenge = kChallenge) {
  return check_created(kExpected, key.client_data(type, challenge), key.attestation());
}
Result<std::uint32_t> use(const Known& known, const Authenticator::Assertion& said) {
  return check_asserted(kExpected, known,
                        {said.client_data, said.authenticator_data, said.signature});
}
Known known_of(const Authenticator& key, std::uint32_t counter = 0) {
  return {key.cose(), counter};
}

TEST_F(WebauthnTest, APasskeyOfEachKindIsMadeAndUsed) {
  for (const int kind : {Authenticator::kEs256, Authenticator::kEdDsa, Authenticator::kRs256}) {
    Authenticator key(kind);
    const auto made = create(key);
    ASSERT_TRUE(made) << kind << ": " << why(made);
    EXPECT_EQ(made->credential, key.credential);
    EXPECT_EQ(made->counter, 0U);
    std::uint32_t counter = made->counter;
    for (int i = 0; i < 3; ++i) {
      const auto used = use({made->key, counter}, key.assertion(kChallenge));
      ASSERT_TRUE(used) << kind << ": " << why(used);
      EXPECT_GT(*used, counter);
      counter = *used;
    }
  }
}

TEST_F(WebauthnTest, WhatBrowsersAddToItIsNoHarm) {
  Authenticator key;
  key.more = R"(,"crossOrigin":false,"other_keys_can_be_added_here":"do not compare"})";
  key.more.pop_back();
  key.extensions = cbor::map(1) + cbor::text("credProtect") + cbor::integer(2);
  const auto made = create(key);
  ASSERT_TRUE(made) << why(made);
  EXPECT_TRUE(use({made->key, 0}, key.assertion(kChallenge)));
  const std::string said = key.client_data("webauthn.create", kChallenge);
  EXPECT_TRUE(check_created(kExpected, said, key.self_attestation(said)));
}

TEST_F(WebauthnTest, APasskeyThatDoesNotCountIsGoodAgain) {
  Authenticator key;
  key.counts = false;
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(use(known_of(key), key.assertion(kChallenge)));
}

// ---- each check, and nothing but it, says no ----

struct Wrong {
  const char* why;
  std::function<void(Authenticator&)> how;
};

const Wrong kWrong[] = {
    {"another page asked for this", [](auto& key) { key.origin = "https://evil.example"; }},
    {"another page asked for this", [](auto& key) { key.origin = "http://my.aroma.example"; }},
    {"another page asked for this", [](auto& key) { key.origin += ".evil.example"; }},
    {"another page asked for this", [](auto& key) { key.origin += ":8443"; }},
    {"a page within another one asked for this",
     [](auto& key) { key.more = R"(,"crossOrigin":true)"; }},
    {"a page within another one asked for this",
     [](auto& key) { key.more = R"(,"crossOrigin":"no")"; }},
    {"this is for another host", [](auto& key) { key.host = "evil.example"; }},
    {"this is for another host", [](auto& key) { key.host = "aroma.example"; }},
    {"nobody was there", [](auto& key) { key.flags = 0x04; }},
    {"who was there was not verified", [](auto& key) { key.flags = 0x01; }},
    {"client data are a small JSON object",
     [](auto& key) { key.more = "," + std::string(3000, ' '); }},
    {"client data are a small JSON object", [](auto& key) { key.more = R"(,"x":[[[[[1]]]]])"; }},
    {"client data are a small JSON object", [](auto& key) { key.more = "}"; }},
    {"there is more than authenticator data",
     [](auto& key) { key.extensions = cbor::map(0) + cbor::map(0); }},
    {"these are no extensions", [](auto& key) { key.extensions = "\xA1"; }},
};

TEST_F(WebauthnTest, EachCheckRefusesANewPasskey) {
  for (const Wrong& wrong : kWrong) {
    Authenticator key;
    wrong.how(key);
    EXPECT_EQ(why(create(key)), wrong.why);
  }
  const Authenticator key;
  EXPECT_EQ(why(create(key, "webauthn.get")), "this is of another ceremony");
  EXPECT_EQ(why(create(key, "webauthn.create", to_base64url(std::string(32, 'x')))),
            "this answers another challenge");
  EXPECT_EQ(why(check_created({"", kExpected.origin, kExpected.host},
                              key.client_data("webauthn.create", ""), key.attestation())),
            "this answers another challenge");
}

TEST_F(WebauthnTest, EachCheckRefusesTheUseOfAPasskey) {
  for (const Wrong& wrong : kWrong) {
    Authenticator key;
    wrong.how(key);
    EXPECT_EQ(why(use(known_of(key), key.assertion(kChallenge))), wrong.why);
  }
  Authenticator key, other;
  EXPECT_EQ(why(use(known_of(key), key.assertion(kChallenge, "webauthn.create"))),
            "this is of another ceremony");
  EXPECT_EQ(why(use(known_of(key), key.assertion("x"))), "this answers another challenge");
  EXPECT_EQ(why(use(known_of(other), key.assertion(kChallenge))),
            "the signature is by another key");
  EXPECT_EQ(why(use({"", 0}, key.assertion(kChallenge))), "the key of this passkey is damaged");
  auto attested = key.assertion(kChallenge);
  attested.authenticator_data = key.authenticator_data(true);
  EXPECT_EQ(why(use(known_of(key), attested)), "a credential that should be there, or should not");
}

TEST_F(WebauthnTest, ACounterThatDoesNotGoUpIsACopy) {
  Authenticator key;
  key.counter = 7;
  EXPECT_TRUE(use(known_of(key, 7), key.assertion(kChallenge)));  // 8
  for (const std::uint32_t known : {9U, 10U, 4'000'000'000U}) {
    key.counter = 8;
    EXPECT_EQ(why(use(known_of(key, known), key.assertion(kChallenge))),
              "the counter does not go up: there is a copy")
        << known;
  }
  key.counter = 0;
  key.counts = false;
  EXPECT_EQ(why(use(known_of(key, 1), key.assertion(kChallenge))),
            "the counter does not go up: there is a copy");
}

TEST_F(WebauthnTest, EveryBitThatWasSignedMatters) {
  for (const int kind : {Authenticator::kEs256, Authenticator::kEdDsa, Authenticator::kRs256}) {
    Authenticator key(kind);
    const auto good = key.assertion(kChallenge);
    ASSERT_TRUE(use(known_of(key), good));
    for (std::string Authenticator::Assertion::*part :
         {&Authenticator::Assertion::client_data, &Authenticator::Assertion::authenticator_data,
          &Authenticator::Assertion::signature}) {
      for (std::size_t i = 0; i < (good.*part).size(); ++i) {
        auto bad = good;
        (bad.*part)[i] = static_cast<char>((bad.*part)[i] ^ (1 << (i % 8)));
        EXPECT_FALSE(use(known_of(key), bad)) << kind << " " << i;
        bad = good;
        (bad.*part).resize(i);
        EXPECT_FALSE(use(known_of(key), bad)) << kind << " " << i;
      }
    }
  }
}

TEST_F(WebauthnTest, AnAttestationIsWholeAndByNobody) {
  const Authenticator key, other;
  const std::string said = key.client_data("webauthn.create", kChallenge);
  const std::string good = key.attestation();
  for (std::size_t i = 0; i < good.size(); ++i) {
    EXPECT_FALSE(check_created(kExpected, said, good.substr(0, i))) << i;
  }
  EXPECT_FALSE(check_created(kExpected, said, good + '\0'));
  EXPECT_FALSE(check_created(kExpected, said, std::string(9000, '\0')));
  const auto refused = [&](const std::string& statement, const char* format) {
    const auto made = check_created(kExpected, said, key.attestation(statement, format));
    EXPECT_FALSE(made) << format;
  };
  const std::string alg = cbor::text("alg") + cbor::integer(-7);
  refused(cbor::map(1) + alg, "none");
  refused(cbor::map(0), "packed");
  refused(cbor::map(0), "tpm");
  refused(cbor::map(1) + alg, "packed");
  refused(cbor::map(1) + cbor::text("x5c") + cbor::head(4, 0), "packed");
  refused(cbor::map(2) + alg + alg, "packed");
  // By another key than the new one.
  const std::string signature =
      other.sign(key.authenticator_data(true) + Authenticator::sha256(said));
  refused(cbor::map(2) + alg + cbor::text("sig") + cbor::bytes(signature), "packed");
}

TEST_F(WebauthnTest, ACredentialHasAnIdOfSomeLength) {
  Authenticator key;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1024}, std::size_t{1023}}) {
    key.credential = std::string(size, 'c');
    EXPECT_EQ(create(key).has_value(), size == 1023) << size;
  }
}

// ---- keys ----

std::string ec_key(std::int64_t type, std::int64_t algorithm, std::int64_t curve,
                   const std::string& x, const std::string& y) {
  using namespace harness::cbor;
  return map(5) + integer(1) + integer(type) + integer(3) + integer(algorithm) + integer(-1) +
         integer(curve) + integer(-2) + bytes(x) + integer(-3) + bytes(y);
}

TEST_F(WebauthnTest, OnlyAKeyIsAKey) {
  using namespace harness::cbor;
  const std::string good = Authenticator().cose();
  ASSERT_TRUE(CoseKey::read(good));
  EXPECT_FALSE(CoseKey::read(good + '\0'));
  for (std::size_t i = 0; i < good.size(); ++i) EXPECT_FALSE(CoseKey::read(good.substr(0, i)));
  const std::string point(32, '\x01');
  EXPECT_FALSE(CoseKey::read(ec_key(2, -7, 1, point, point))) << "not on the curve";
  EXPECT_FALSE(CoseKey::read(ec_key(2, -7, 2, point, point)));
  EXPECT_FALSE(CoseKey::read(ec_key(2, -35, 1, point, point)));
  EXPECT_FALSE(CoseKey::read(ec_key(1, -7, 1, point, point)));
  EXPECT_FALSE(CoseKey::read(ec_key(2, -7, 1, point.substr(1), point)));
  EXPECT_FALSE(CoseKey::read(ec_key(1, -8, 6, point, point)));
  const auto rsa = [](const std::string& n, const std::string& e) {
    return map(4) + integer(1) + integer(3) + integer(3) + integer(-257) + integer(-1) + bytes(n) +
           integer(-2) + bytes(e);
  };
  const std::string modulus(256, '\xFF'), exponent("\x01\x00\x01", 3);
  EXPECT_TRUE(CoseKey::read(rsa(modulus, exponent)));
  EXPECT_FALSE(CoseKey::read(rsa(modulus, "\x03")));
  EXPECT_FALSE(CoseKey::read(rsa(modulus.substr(1), exponent))) << "too small";
  EXPECT_FALSE(CoseKey::read(rsa(std::string(513, '\xFF'), exponent))) << "too large";
  EXPECT_FALSE(CoseKey::read(rsa(std::string(256, '\xFE'), exponent))) << "even";
  EXPECT_FALSE(CoseKey::read(map(2) + integer(3) + integer(-7) + integer(3) + integer(-7)));
  EXPECT_FALSE(CoseKey::read(map(1) + integer(4) + integer(1))) << "nobody asked for this";
}

TEST_F(WebauthnTest, CborIsReadAsAuthenticatorsWriteIt) {
  const auto integer = [](std::string_view bytes) { return Cbor(bytes).integer(); };
  EXPECT_EQ(integer(cbor::integer(0)), 0);
  EXPECT_EQ(integer(cbor::integer(-257)), -257);
  EXPECT_EQ(integer(cbor::integer(70'000)), 70'000);
  EXPECT_EQ(integer(std::string("\x18\x17")), std::nullopt) << "not in its shortest form";
  EXPECT_EQ(integer(std::string("\x19\x00\xFF", 3)), std::nullopt);
  EXPECT_EQ(integer(std::string("\x1B\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF")), std::nullopt);
  EXPECT_EQ(integer(std::string("\x19\x01")), std::nullopt) << "cut short";
  EXPECT_EQ(integer(cbor::text("x")), std::nullopt);
  EXPECT_EQ(integer(""), std::nullopt);
  EXPECT_FALSE(Cbor("\x5F\x41\x61\xFF").bytes()) << "without a length";
  EXPECT_FALSE(Cbor("\x5B\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF").bytes());
  EXPECT_FALSE(Cbor("\xBB\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF").map());
  const auto skips = [](std::string_view bytes) { return Cbor(bytes).skip(); };
  EXPECT_TRUE(skips(std::string("\x82\xF5\xFA\x00\x00\x00\x00", 7)));
  EXPECT_TRUE(skips(std::string(8, '\x81') + '\0'));
  EXPECT_FALSE(skips(std::string(9, '\x81') + '\0')) << "too deep";
  EXPECT_FALSE(skips("\xBB\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"));
  EXPECT_FALSE(skips("\x9A\xFF\xFF\xFF\xFF"));
  EXPECT_FALSE(skips("\xC1\x01")) << "a tag";
}

TEST_F(WebauthnTest, AHostIsOfAnOrigin) {
  EXPECT_EQ(host_of("https://my.aroma.example"), "my.aroma.example");
  EXPECT_EQ(host_of("http://localhost:8080"), "localhost");
  EXPECT_EQ(host_of("http://[::1]:8080"), "[::1]");
  EXPECT_EQ(host_of("my.aroma.example"), "");
}

TEST_F(WebauthnTest, AChallengeIsReadOfWhateverComes) {
  const Authenticator key;
  EXPECT_EQ(challenge_of(key.client_data("webauthn.get", kChallenge)), kChallenge);
  for (const char* bad : {"", "{", "[]", "7", "{}", R"({"challenge":7})", "\xFF"}) {
    EXPECT_EQ(challenge_of(bad), "") << bad;
  }
}

// ---- the standard's own vectors ----

std::string hex(std::string_view text) {
  std::vector<std::uint8_t> out(text.size() / 2);
  EXPECT_TRUE(from_hex(text, out));
  return {out.begin(), out.end()};
}
Expected example(std::string_view challenge) {
  return {to_base64url(hex(challenge)), "https://example.org", "example.org"};
}
const std::string kExampleHost = "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b5";
const std::string kExtra =
    "2c22657874726144617461223a22636c69656e74446174614a534f4e206d617920626520657874656e646564207769"
    "7468206164646974696f6e616c206669656c647320696e20746865206675747572652c207375636820617320746869"
    "733a20";

// 16.3, packed-self.ES256: somebody was verified, and the key speaks for itself.
TEST_F(WebauthnTest, TheStandardsSelfAttestedPasskeyIsTaken) {
  const auto expected = example("7869c2b772d4b58eba9378cf8f29e26cf935aa77df0da89fa99c0bdc0a76f7e5");
  const std::string said =
      hex("7b2274797065223a22776562617574686e2e637265617465222c226368616c6c656e6765223a2265476e4374"
          "334c55745936366b336a506a796e6962506b31716e666644616966715a774c33417032392d55222c226f7269"
          "67696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c"
          "7365" +
          kExtra + "5539685458764b453255526b4d6e625f307859485667227d");
  const std::string attestation =
      hex("a363666d74667061636b65646761747453746d74a263616c672663736967584630440220067a20754ab92500"
          "5dbf378097c92120031581c73228d1fb4f5b881bcd7da98302207fc7b147558c7c0eba3af18bd9d121fa3d3a"
          "26d17fe3f220272178f473b6006d68617574684461746158a4" +
          kExampleHost +
          "5d00000000df850e09db6afbdfab51697791506cfc0020455ef34e2043a87db3d4afeb39bbcb6cc32df9347c"
          "789a865ecdca129cbef58ca5010203262001215820eb151c8176b225cc651559fecf07af450fd85802046656"
          "b34c18f6cf193843c5225820927b8aa427a2be1b8834d233a2d34f61f13bfd44119c325d5896e183fee484f"
          "2");
  const auto made = check_created(expected, said, attestation);
  ASSERT_TRUE(made) << why(made);
  EXPECT_EQ(to_hex(made->credential),
            "455ef34e2043a87db3d4afeb39bbcb6cc32df9347c789a865ecdca129cbef58c");
}

// 16.6, none.ES256.long-credential-id.
TEST_F(WebauthnTest, TheStandardsAssertionIsTaken) {
  const std::string key =
      hex("a50102032620012158203b8176b7504489cc593046d7988abb7905a742de6ac2cdc748a873c663e90cb12258"
          "201436d5edc9a75f23999eef9d5950a5c2455514ee1014084720f841a06b828a11");
  const auto expected = example("ef1deba56dce48f674a447ccf63b9599258ce87648e5c396f2ef0ca1da460e3b");
  const Assertion said{
      hex("7b2274797065223a22776562617574686e2e676574222c226368616c6c656e6765223a22377833727057334f"
          "53505a307045664d396a75566d53574d36485a4935634f573875384d6f647047446a73222c226f726967696e"
          "223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73657"
          "d"),
      hex(kExampleHost + "0d00000000"),
      hex("304502203ecef83fb12a0cae7841055f9f87103a99fd14b424194bbf06c4623d3ee6e3fd022100d2ace346db"
          "262b1374a6b70faa51f518a42ddca13a4125ce6f5052a75bac9fb6")};
  const auto used = check_asserted(expected, {key, 0}, said);
  ASSERT_TRUE(used) << why(used);
  EXPECT_EQ(*used, 0U);
  EXPECT_EQ(why(check_asserted(expected, {key, 3}, said)),
            "the counter does not go up: there is a copy");
}

// 16.2, none.ES256: all is right, but nobody was verified.
TEST_F(WebauthnTest, TheStandardsUnverifiedPasskeyIsRefusedForThatAlone) {
  const auto made = check_created(
      example("00c30fb78531c464d2b6771dab8d7b603c01162f2fa486bea70f283ae556e130"),
      hex("7b2274797065223a22776562617574686e2e637265617465222c226368616c6c656e6765223a22414d4d5074"
          "34557878475453746e63647134313759447742466938767049612d7077386f4f755657345441222c226f7269"
          "67696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c"
          "7365" +
          kExtra + "426b5165446a646354427258426941774a544c453551227d"),
      hex("a363666d74646e6f6e656761747453746d74a068617574684461746158a4" + kExampleHost +
          "59000000008446ccb9ab1db374750b2367ff6f3a1f0020f91f391db4c9b2fde0ea70189cba3fb63f579ba612"
          "2b33ad94ff3ec330084be4a5010203262001215820afefa16f97ca9b2d23eb86ccb64098d20db90856062eb2"
          "49c33a9b672f26df61225820930a56b87a2fca66334b03458abf879717c12cc68ed73290af2e2664796b922"
          "0"));
  EXPECT_EQ(why(made), "who was there was not verified");
}

// 16.4, none.ES256.crossOrigin.
TEST_F(WebauthnTest, TheStandardsPasskeyOfAPageWithinAnotherIsRefusedForThatAlone) {
  const auto made = check_created(
      example("3be5aacd03537142472340ab5969f240f1d87716e20b6807ac230655fa4b3b49"),
      hex("7b2274797065223a22776562617574686e2e637265617465222c226368616c6c656e6765223a224f2d57717a"
          "514e5463554a484930437257576e7951504859647862694332674872434d475666704c4f306b222c226f7269"
          "67696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a747275"
          "65" +
          kExtra + "7a5a7175457444523944577170573574425754467567227d"),
      "");
  EXPECT_EQ(why(made), "a page within another one asked for this");
}

// 16.10 and 16.11: an RSA key of unusual primes, and Ed25519. The signatures alone, for their
// authenticators verified nobody.
TEST_F(WebauthnTest, TheStandardsSignaturesByRsaAndEd25519AreRight) {
  struct {
    std::string key, flags, client_data, signature;
  } const vectors[] = {
      {"a401030339010020"
       "5901b4"
       "03" +
           std::string(319, 'f') + "7" + std::string(230, 'f') + "8" + std::string(318, '0') +
           "1"
           "2143010001",
       "19",
       "7b2274797065223a22776562617574686e2e676574222c226368616c6c656e6765223a224b56395a39667150356"
       "978"
       "617970346e596d7834794e6f33617562597a5333536d75757459423462784d55222c226f726967696e223a22687"
       "47470"
       "733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73657d",
       "01063d52d7c39b4d432fc7063c5d93e582bdcb16889cd71f888d67d880ea730a428498d3bc8e1ee11f2b1ecbe6c"
       "292b1"
       "18c55ffaaddefa8cad0a54dd137c51f1eec673f1bb6c4d1789d6826a222b22d0f585fc901fdc933212e579d199b"
       "89d67"
       "2aa44891333e6a1355536025e82b25590256c3538229b55737083b2f6b9377e49e2472f11952f79fdd0da180b5f"
       "fd901"
       "b4049a8f081bb40711bef76c62aed943571f2d0575304cb549d68d8892f95086a30f93716aee818f8dc06e96c0d"
       "5e0ed"
       "4cfa9fd8773d90464b68cf140f7986666ff9c9e3302acd0535d60d769f465e2ab57ef8aabc89fccfef7ba32a641"
       "54a8b"
       "3d26be2298f470b8cc5377dbe3dfd4b0b45f8f01e63bde6cfc76b62771f9b70aa27cf40152cad93aa5acd784fd4"
       "b90f6"
       "76e2ea828d0bf2400aebbaae4153e5838f537f88b6228346782a93a899be66ec77de45b3efcf311da6321c92e6b"
       "0cd11"
       "bfe653bf3e98cee8e341f02d67dbb6f9c98d9e8178090cfb5b70fbc6d541599ac794ae2f1d4de1286ec8de8c2da"
       "f7b1d"
       "15c8438e90d924df5c19045220a4c8438c1b979bbe016cf3d0eeec23c3999d4882cc645b776de930756612cdc6d"
       "d3981"
       "60ff02a6"},
      {"a401010327200621582044e06ddd331c36a8dc667bab52bcae63486c916aa5e339e6acebaa84934bf832", "01",
       "7b2274797065223a22776562617574686e2e676574222c226368616c6c656e6765223a2269566c583442786a4f6"
       "d6d44"
       "534b4c596f7870557439736e364d48454f7943413135726947514a6e763949222c226f726967696e223a2268747"
       "47073"
       "3a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73657d",
       "f5c59c7e46c34f6f8cc197101ddf9934fa2595f68eb1913a637e8419eb9ba4cfdfc48f85393bc0d40b011f0d6fe"
       "cb097"
       "d6607525713223a0dc0d453993dae00b"},
  };
  for (const auto& one : vectors) {
    const auto key = CoseKey::read(hex(one.key));
    ASSERT_TRUE(key) << key.error().message;
    const std::string message =
        hex(kExampleHost + one.flags + "00000000") + Authenticator::sha256(hex(one.client_data));
    EXPECT_TRUE(key->has_signed(message, hex(one.signature)));
    EXPECT_FALSE(key->has_signed(message + "x", hex(one.signature)));
  }
}

}  // namespace
}  // namespace welcome::crm::webauthn
