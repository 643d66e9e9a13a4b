// SPDX-License-Identifier: Apache-2.0
// Passkeys at the door: who may make one, whom it confirms, and whom it lets in.

#include "crm/door/passkeys.h"

#include <functional>
#include <string>

#include "crm/token.h"
#include "harness/authenticator.h"
#include "tests/unit/crm/door_fixture.h"

namespace welcome::crm {
namespace {

using harness::Authenticator;

class PasskeysTest : public DoorTest {
 protected:
  Response challenge_for(const char* what, const std::string& cookie) {
    return ask("POST", "/v1/passkeys/challenge", cookie, json{{"for", what}});
  }
  json challenge(const char* what, const std::string& cookie) {
    const Response answer = challenge_for(what, cookie);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return json::parse(answer.body);
  }
  std::string new_challenge(const char* what, const std::string& cookie) {
    return challenge(what, cookie).at("challenge");
  }
  std::string challenge_to_enter() {
    const Response answer = ask("POST", "/v1/session/challenge", "", json::object());
    EXPECT_EQ(answer.status, 200) << answer.body;
    return json::parse(answer.body).at("challenge");
  }

  // A passkey of whoever this session is; it knows their handle.
  struct Held : Authenticator {
    std::string handle;
  };
  Held create(const std::string& cookie) {
    Held key;
    const json asked = challenge("create", cookie);
    key.handle = asked.at("handle");
    const Response answer =
        ask("POST", "/v1/passkeys", cookie, key.made(asked.at("challenge").get<std::string>()));
    EXPECT_EQ(answer.status, 204) << answer.body;
    return key;
  }
  Response confirm(const std::string& cookie, Authenticator& key) {
    return ask("POST", "/v1/passkeys/confirm", cookie, key.used(new_challenge("confirm", cookie)));
  }
  Response enter(Held& key, const std::string& cookie = "", const json& more = json::object()) {
    json body = key.used(challenge_to_enter());
    body["handle"] = key.handle;
    body.update(more);
    return ask("POST", "/v1/session/passkey", cookie, body);
  }
  void wait() {
    now_ += Session::kFresh;
    mono_ += Session::kFresh;
  }
  bool may_export(const std::string& cookie) {
    return ask("POST", "/v1/export", cookie, json::object()).status == 200;
  }
};

TEST_F(PasskeysTest, APasskeyIsMadeByWhoHasJustShownWhoTheyAre) {
  const std::string cookie = sign_in();
  const auto before = crm_->newest_news();
  create(cookie);
  EXPECT_EQ(told_since(before), std::vector<std::string>{"c-paul passkeys"});
  const json passkeys = get("/v1/me", cookie).at("passkeys");
  ASSERT_EQ(passkeys.size(), 1U);
  EXPECT_EQ(passkeys[0].at("name"), "Phone");
  EXPECT_FALSE(passkeys[0].contains("used_at"));
  wait();
  EXPECT_EQ(problem_of(challenge_for("create", cookie)), "step-up-needed");
  EXPECT_EQ(problem_of(ask("POST", "/v1/passkeys", cookie, json::object())), "step-up-needed");
}

TEST_F(PasskeysTest, ItConfirmsThatItIsStillThemForAsLongAsALink) {
  const std::string cookie = sign_in();
  auto key = create(cookie);
  wait();
  EXPECT_FALSE(may_export(cookie));
  EXPECT_EQ(confirm(cookie, key).status, 204);
  EXPECT_TRUE(may_export(cookie));
  EXPECT_TRUE(get("/v1/me", cookie).at("passkeys")[0].contains("used_at"));
  create(cookie);  // and another one
  EXPECT_EQ(ask("POST", "/v1/link", cookie, json::object()).status, 200);
  wait();
  EXPECT_FALSE(may_export(cookie));
  EXPECT_EQ(confirm(cookie, key).status, 204);
  EXPECT_EQ(ask("POST", "/v1/forget", cookie, json::object()).status, 202);
}

TEST_F(PasskeysTest, ItSignsANewDeviceInAsALinkDoes) {
  const std::string phone = sign_in();
  auto key = create(phone);
  const Response answer = enter(key, "", {{"device", "Laptop"}});
  ASSERT_EQ(answer.status, 204) << answer.body;
  const std::string laptop = cookie_of(answer);
  EXPECT_EQ(get("/v1/me", laptop).at("name"), "Name of c-paul");
  EXPECT_EQ(get("/v1/me", laptop).at("devices").size(), 2U);
  EXPECT_TRUE(may_export(laptop));
  // On a device that is signed in already it makes that one fresh.
  wait();
  const Response again = enter(key, laptop);
  EXPECT_EQ(again.status, 204);
  EXPECT_TRUE(again.set_cookie.empty());
  EXPECT_TRUE(may_export(laptop));
}

TEST_F(PasskeysTest, SomebodyElsesPasskeyTakesNoDeviceOverUnasked) {
  add("c-mia", "a-mia");
  const std::string paul = sign_in();
  auto key = create(sign_in("c-mia"));
  EXPECT_EQ(problem_of(enter(key, paul)), "another-customer");
  EXPECT_EQ(get("/v1/me", paul).at("name"), "Name of c-paul");
  EXPECT_EQ(enter(key, paul, {{"replace", true}}).status, 204);
  EXPECT_EQ(ask("GET", "/v1/me", paul).status, 401);
}

// ---- what does not get through ----

TEST_F(PasskeysTest, AChallengeIsAnsweredOnceByItsOwnSessionForItsOwnPurposeAndInTime) {
  const std::string phone = sign_in(), tablet = sign_in();
  auto key = create(phone);
  const auto confirms = [&](const std::string& cookie, const json& body) {
    return problem_of(ask("POST", "/v1/passkeys/confirm", cookie, body));
  };
  const json good = key.used(new_challenge("confirm", phone));
  EXPECT_EQ(confirms(tablet, good), "challenge-over") << "of another session";
  EXPECT_EQ(confirms(phone, good), "none");
  EXPECT_EQ(confirms(phone, good), "challenge-over") << "replayed";
  EXPECT_EQ(confirms(phone, key.used(new_challenge("create", phone))), "challenge-over")
      << "for something else";
  EXPECT_EQ(confirms(phone, key.used(challenge_to_enter())), "challenge-over");
  EXPECT_EQ(confirms(phone, key.used(new_token())), "challenge-over") << "of nobody";
  const json first = key.used(new_challenge("confirm", phone));
  challenge("confirm", phone);
  EXPECT_EQ(confirms(phone, first), "challenge-over") << "another one took its place";
  const json late = key.used(new_challenge("confirm", phone));
  now_ += Passkeys::kChallengeLife;
  EXPECT_EQ(confirms(phone, late), "challenge-over");
  // Wrongly answered, it is used up too.
  const std::string asked = new_challenge("confirm", phone);
  json bad = key.used(asked);
  bad["signature"] = "AAAA";
  EXPECT_EQ(confirms(phone, bad), "passkey-refused");
  EXPECT_EQ(confirms(phone, key.used(asked)), "challenge-over");
  mono_ += 1h;
  now_ += 1h;
  json entering = key.used(new_challenge("confirm", phone));
  entering["handle"] = key.handle;
  EXPECT_EQ(problem_of(ask("POST", "/v1/session/passkey", "", entering)), "challenge-over")
      << "signs nobody in";
}

TEST_F(PasskeysTest, AChallengeOutlivesARestartAndIsInTheDatabaseAsItsHash) {
  const std::string cookie = sign_in();
  auto key = create(cookie);
  wait();
  const std::string asked = new_challenge("confirm", cookie);
  const Rows rows = db_->query("SELECT challenge_hash FROM door_challenge");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].text(0), token_hash(asked));
  door_ = std::make_unique<Door>(*crm_, kPage);
  EXPECT_EQ(ask("POST", "/v1/passkeys/confirm", cookie, key.used(asked)).status, 204);
}

TEST_F(PasskeysTest, WhatIsWrongIsRefusedAndConfirmsNothing) {
  const std::string cookie = sign_in();
  const std::function<void(Authenticator&)> wrongs[] = {
      [](auto& key) { key.origin = "https://evil.example"; },
      [](auto& key) { key.host = "evil.example"; },
      [](auto& key) { key.flags = 0x01; },
      [](auto& key) { key.more = R"(,"crossOrigin":true)"; },
  };
  auto key = create(cookie);
  wait();
  for (const auto& wrong : wrongs) {
    auto bad = key;
    wrong(bad);
    EXPECT_EQ(problem_of(confirm(cookie, bad)), "passkey-refused");
    EXPECT_EQ(problem_of(enter(bad)), "passkey-refused");
  }
  EXPECT_FALSE(may_export(cookie));
  EXPECT_EQ(get("/v1/me", cookie).at("devices").size(), 1U);
  EXPECT_EQ(confirm(cookie, key).status, 204);
  for (const auto& wrong : wrongs) {
    Authenticator bad;
    wrong(bad);
    EXPECT_EQ(
        problem_of(ask("POST", "/v1/passkeys", cookie, bad.made(new_challenge("create", cookie)))),
        "passkey-refused");
  }
  EXPECT_EQ(get("/v1/me", cookie).at("passkeys").size(), 1U);
}

TEST_F(PasskeysTest, ACopyIsNoticedByItsCounter) {
  const std::string cookie = sign_in();
  auto key = create(cookie);
  auto copy = key;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(confirm(cookie, key).status, 204);
  EXPECT_EQ(problem_of(confirm(cookie, copy)), "passkey-refused");
  EXPECT_EQ(problem_of(enter(copy)), "passkey-refused");
  EXPECT_EQ(confirm(cookie, key).status, 204);
}

TEST_F(PasskeysTest, AnotherCustomersPasskeyConfirmsNothing) {
  add("c-mia", "a-mia");
  const std::string paul = sign_in(), mia = sign_in("c-mia");
  auto of_paul = create(paul), of_mia = create(mia);
  wait();
  EXPECT_EQ(problem_of(confirm(paul, of_mia)), "passkey-unknown");
  EXPECT_FALSE(may_export(paul));
  // Signed in is whose key has signed, and that is who the authenticator says.
  std::swap(of_paul.handle, of_mia.handle);
  EXPECT_EQ(problem_of(enter(of_paul)), "passkey-unknown");
  of_mia.handle.clear();
  EXPECT_EQ(problem_of(enter(of_mia)), "passkey-unknown");
  // Nobody takes over the passkey of somebody else, nor away.
  EXPECT_EQ(open(link(), paul).status, 204);
  EXPECT_EQ(
      problem_of(ask("POST", "/v1/passkeys", paul, of_mia.made(new_challenge("create", paul)))),
      "passkey-known");
  const std::string id = get("/v1/me", mia).at("passkeys")[0].at("passkey");
  EXPECT_EQ(problem_of(ask("DELETE", "/v1/passkeys/" + id, paul)), "passkey-unknown");
  EXPECT_EQ(get("/v1/me", mia).at("passkeys").size(), 1U);
}

TEST_F(PasskeysTest, OneThatWasRemovedOpensNothing) {
  const std::string cookie = sign_in();
  auto key = create(cookie), other = create(cookie);
  const json passkeys = get("/v1/me", cookie).at("passkeys");
  const json asked = challenge("confirm", cookie);
  EXPECT_EQ(asked.at("passkeys").size(), 2U);
  for (const json& one : passkeys) {
    const std::string id = one.at("passkey");
    EXPECT_EQ(ask("DELETE", "/v1/passkeys/" + id, cookie).status, 204);
    EXPECT_EQ(problem_of(ask("DELETE", "/v1/passkeys/" + id, cookie)), "passkey-unknown");
  }
  wait();
  EXPECT_EQ(problem_of(challenge_for("confirm", cookie)), "passkey-unknown");
  EXPECT_EQ(problem_of(enter(key)), "passkey-unknown");
  EXPECT_FALSE(may_export(cookie));
  // What was made and removed is on record.
  const json data = *crm_->export_customer("c-paul", now_);
  std::vector<std::string> kinds;
  for (const json& one : data.at("app_requests")) kinds.push_back(one.at("kind"));
  EXPECT_EQ(kinds, (std::vector<std::string>{"passkey.added", "passkey.added", "passkey.removed",
                                             "passkey.removed"}));
}

TEST_F(PasskeysTest, ThereIsAnEndToHowMany) {
  const std::string cookie = sign_in();
  for (std::size_t i = 0; i < Passkeys::kMost; ++i) {
    create(cookie);
    mono_ += 10s;
  }
  EXPECT_EQ(problem_of(challenge_for("create", cookie)), "too-many-passkeys");
  EXPECT_EQ(get("/v1/me", cookie).at("passkeys").size(), Passkeys::kMost);
}

TEST_F(PasskeysTest, TheyAreTriedSlowly) {
  const auto refused = [&](const std::function<Response()>& tries) {
    int out = 0;
    for (int i = 0; i < 40; ++i) out += tries().status == 429 ? 1 : 0;
    return out;
  };
  EXPECT_EQ(refused([&] { return ask("POST", "/v1/session/passkey", "", json::object()); }), 20);
  EXPECT_EQ(refused([&] { return ask("POST", "/v1/session/challenge", "", json::object()); }), 40);
  address_ = "203.0.113.8";
  const std::string cookie = sign_in();
  EXPECT_EQ(refused([&] { return ask("POST", "/v1/passkeys/confirm", cookie, json::object()); }),
            20);
  // However many addresses somebody has, the rows have an end.
  int rows = 0;
  for (int i = 0; i < 1000; ++i) {
    address_ = "2001:db8::" + std::to_string(i);
    rows += ask("POST", "/v1/session/challenge", "", json::object()).status == 200 ? 1 : 0;
  }
  EXPECT_LE(rows, 500);
}

TEST_F(PasskeysTest, BodiesThatAreNoneAreRefused) {
  const std::string cookie = sign_in();
  create(cookie);
  for (const char* body :
       {"{}", R"({"client_data":7})", R"({"client_data":"","attestation":""})",
        R"({"client_data":"+","attestation":"AAAA"})",
        R"({"client_data":"e30=","authenticator_data":"AA","signature":"AA"})"}) {
    EXPECT_EQ(problem_of(ask("POST", "/v1/passkeys", cookie, std::string(body))), "malformed");
    EXPECT_EQ(problem_of(ask("POST", "/v1/passkeys/confirm", cookie, std::string(body))),
              "malformed");
  }
  for (const char* what : {"", "enter", "CREATE"}) {
    EXPECT_EQ(problem_of(challenge_for(what, cookie)), "malformed");
  }
  EXPECT_EQ(problem_of(ask("POST", "/v1/passkeys", cookie,
                           json{{"client_data", "e30"}, {"attestation", "AAAA"}})),
            "challenge-over");
}

TEST_F(PasskeysTest, AnotherSiteMakesAndUsesNone) {
  const std::string cookie = sign_in();
  auto key = create(cookie);
  const json entering = key.used(challenge_to_enter());
  origin_ = "https://evil.example";
  for (const char* path : {"/v1/passkeys", "/v1/passkeys/challenge", "/v1/passkeys/confirm",
                           "/v1/session/challenge", "/v1/session/passkey"}) {
    EXPECT_EQ(problem_of(ask("POST", path, cookie, entering)), "foreign-origin") << path;
  }
}

// ---- what is kept, and until when ----

TEST_F(PasskeysTest, AnAuthenticatorNeverHearsTheCustomersNumber) {
  const std::string cookie = sign_in(), other = sign_in();
  const json asked = challenge("create", cookie);
  EXPECT_EQ(asked.at("handle").get<std::string>().size(), kTokenSize);
  EXPECT_EQ(asked.dump().find("c-paul"), std::string::npos);
  EXPECT_EQ(asked.at("host"), "my.aroma.example");
  EXPECT_EQ(challenge("create", other).at("handle"), asked.at("handle"));
}

TEST_F(PasskeysTest, BeingForgottenTakesThemAndWhatWasAsked) {
  add("c-mia", "a-mia");
  const std::string cookie = sign_in(), mia = sign_in("c-mia");
  auto key = create(cookie), of_mia = create(mia);
  challenge("confirm", cookie);
  ASSERT_EQ(ask("POST", "/v1/forget", cookie, json::object()).status, 202);
  EXPECT_EQ(db_->query("SELECT 1 FROM passkey").size(), 1U);
  EXPECT_TRUE(db_->query("SELECT 1 FROM door_challenge").empty());
  EXPECT_EQ(problem_of(enter(key)), "passkey-unknown");
  EXPECT_EQ(enter(of_mia).status, 204);
}

TEST_F(PasskeysTest, ChallengesThatNobodyAnsweredGo) {
  challenge_to_enter();
  Transaction transaction(*db_);
  crm_->forget_the_old(now_ + Passkeys::kChallengeLife + 1s, 100);
  transaction.commit();
  EXPECT_TRUE(db_->query("SELECT 1 FROM door_challenge").empty());
}

}  // namespace
}  // namespace welcome::crm
