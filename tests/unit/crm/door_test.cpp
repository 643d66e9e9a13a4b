// SPDX-License-Identifier: Apache-2.0
// The door without a socket: who gets in, with what, and what they may do.

#include "crm/door/door.h"

#include <chrono>
#include <string>

#include "crm/boxes.h"
#include "crm/complaints.h"
#include "crm/desk_consents.h"
#include "crm/token.h"
#include "tests/unit/crm/door_fixture.h"

namespace welcome::crm {
namespace {

// ---- links ----

TEST_F(DoorTest, ALinkSignsOneDeviceInOnce) {
  const std::string token = link();
  const Response first = open(token);
  ASSERT_EQ(first.status, 204);
  EXPECT_TRUE(first.set_cookie.starts_with("__Host-welcome=")) << first.set_cookie;
  for (const char* attribute : {"; Path=/", "; HttpOnly", "; Secure", "; SameSite=Strict"}) {
    EXPECT_NE(first.set_cookie.find(attribute), std::string::npos) << attribute;
  }
  EXPECT_EQ(get("/v1/me", cookie_of(first)).at("name"), "Name of c-paul");
  const Response second = open(token);
  EXPECT_EQ(second.status, 410);
  EXPECT_EQ(problem_of(second), "link-used");
  EXPECT_TRUE(second.set_cookie.empty());
}

TEST_F(DoorTest, ALinkEnds) {
  const std::string token = link();
  now_ += Sessions::kLinkLife;
  const Response answer = open(token);
  EXPECT_EQ(answer.status, 410);
  EXPECT_EQ(problem_of(answer), "link-over");
}

TEST_F(DoorTest, WhatIsNoLinkOpensNothing) {
  EXPECT_EQ(problem_of(open(new_token())), "link-unknown");
  EXPECT_EQ(problem_of(open("")), "malformed");
  EXPECT_EQ(problem_of(open(std::string(4000, 'x'))), "link-unknown");
  EXPECT_EQ(problem_of(ask("POST", "/v1/session", "", json{{"link", 7}})), "malformed");
}

TEST_F(DoorTest, TheDatabaseHoldsNoTokenThatOpensAnything) {
  const std::string token = link();
  const std::string cookie = cookie_of(open(token)).substr(std::string("__Host-welcome=").size());
  ASSERT_EQ(cookie.size(), kTokenSize);
  const Rows links = db_->query("SELECT token_hash FROM door_link");
  const Rows sessions = db_->query("SELECT token_hash FROM door_session");
  ASSERT_EQ(links.size(), 1U);
  ASSERT_EQ(sessions.size(), 1U);
  EXPECT_EQ(links[0].text(0), token_hash(token));
  EXPECT_EQ(sessions[0].text(0), token_hash(cookie));
  EXPECT_EQ(ask("GET", "/v1/me", "__Host-welcome=" + sessions[0].text(0)).status, 401);
}

TEST_F(DoorTest, SomebodyElsesLinkTakesNoDeviceOverUnasked) {
  add("c-mia", "a-mia");
  const std::string paul = sign_in();
  const std::string token = link("c-mia");
  const Response answer = open(token, paul);
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(problem_of(answer), "another-customer");
  EXPECT_EQ(get("/v1/me", paul).at("name"), "Name of c-paul");
  // Their owner has said so: the link is still good, and the session before is over.
  const Response replaced =
      ask("POST", "/v1/session", paul, json{{"link", token}, {"replace", true}});
  ASSERT_EQ(replaced.status, 204);
  EXPECT_EQ(get("/v1/me", cookie_of(replaced)).at("name"), "Name of c-mia");
  EXPECT_EQ(ask("GET", "/v1/me", paul).status, 401);
}

TEST_F(DoorTest, LinksAreTriedSlowly) {
  int refused = 0;
  for (int i = 0; i < 60; ++i) refused += open(new_token()).status == 429 ? 1 : 0;
  EXPECT_EQ(refused, 40);
  EXPECT_GT(open(new_token()).retry_after_s, 0);
  mono_ += 1min;
  EXPECT_EQ(problem_of(open(new_token())), "link-unknown");
}

// ---- sessions ----

TEST_F(DoorTest, WithoutASessionNobodyGetsIn) {
  for (const Door::Route& route : Door::routes()) {
    if (route.who == Door::Who::anybody || route.who == Door::Who::box) continue;
    for (const std::string& cookie :
         {std::string(), std::string("__Host-welcome="), "__Host-welcome=" + new_token(),
          "welcome=" + new_token(), std::string(3000, ';')}) {
      const Response answer = ask(route.method, route.path, cookie, json::object());
      EXPECT_EQ(answer.status, 401) << route.path;
      EXPECT_EQ(problem_of(answer), "signed-out");
    }
  }
}

TEST_F(DoorTest, SeveralDevicesAtOnceAndOneOfThemIsSentAway) {
  const std::string phone = sign_in();
  now_ += 1s;
  const std::string tablet = sign_in();
  EXPECT_EQ(get("/v1/me", phone).at("devices").size(), 2U);
  const std::string other = other_device(phone);
  const auto before = crm_->newest_news();
  EXPECT_EQ(ask("DELETE", "/v1/devices/" + other, phone).status, 204);
  EXPECT_EQ(told_since(before), std::vector<std::string>{"c-paul devices"});
  EXPECT_EQ(ask("GET", "/v1/me", tablet).status, 401);
  EXPECT_EQ(get("/v1/me", phone).at("devices").size(), 1U);
  EXPECT_FALSE(door_->may_listen({"c-paul", token_hash(tablet.substr(15))}, now_));
  EXPECT_TRUE(door_->may_listen({"c-paul", token_hash(phone.substr(15))}, now_));
}

TEST_F(DoorTest, NobodySendsAnotherCustomersDeviceAway) {
  add("c-mia", "a-mia");
  const std::string paul = sign_in(), mia = sign_in("c-mia");
  const std::string id = get("/v1/me", mia).at("devices").at(0).at("device");
  const Response answer = ask("DELETE", "/v1/devices/" + id, paul);
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(ask("GET", "/v1/me", mia).status, 200);
}

TEST_F(DoorTest, ASessionEndsWhenNobodyComesForLong) {
  const std::string cookie = sign_in();
  now_ += Sessions::kLife - 1h;
  EXPECT_EQ(ask("GET", "/v1/me", cookie).status, 200);  // and lives on
  now_ += Sessions::kLife - 1h;
  EXPECT_EQ(ask("GET", "/v1/me", cookie).status, 200);
  now_ += Sessions::kLife;
  EXPECT_EQ(ask("GET", "/v1/me", cookie).status, 401);
}

TEST_F(DoorTest, SigningOutEndsTheSessionAndTakesTheCookie) {
  const std::string cookie = sign_in();
  const Response answer = ask("DELETE", "/v1/session", cookie);
  EXPECT_EQ(answer.status, 204);
  EXPECT_NE(answer.set_cookie.find("Max-Age=0"), std::string::npos);
  EXPECT_EQ(ask("GET", "/v1/me", cookie).status, 401);
}

TEST_F(DoorTest, TheOldestDeviceGoesWhenThereAreTooMany) {
  const std::string oldest = sign_in();
  for (std::size_t i = 1; i < Sessions::kDevicesMost; ++i) {
    now_ += 1s;
    mono_ += 1min;
    sign_in();
  }
  EXPECT_EQ(ask("GET", "/v1/me", oldest).status, 200);
  now_ += 1s;
  mono_ += 1min;
  const std::string newest = sign_in();
  EXPECT_EQ(ask("GET", "/v1/me", oldest).status, 401);
  EXPECT_EQ(get("/v1/me", newest).at("devices").size(), Sessions::kDevicesMost);
}

TEST_F(DoorTest, TwoCookiesOfOneNameAreNone) {
  const std::string cookie = sign_in();
  const Response answer = ask("GET", "/v1/me", cookie + "; a=b; " + cookie);
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(problem_of(answer), "two-cookies");
  EXPECT_EQ(ask("GET", "/v1/me", "a=b; " + cookie + " ;c=d").status, 200);
  EXPECT_EQ(ask("GET", "/v1/me", "x" + cookie).status, 401);
}

// ---- another site's page ----

TEST_F(DoorTest, WhatAnotherSiteSendsChangesNothing) {
  const std::string cookie = sign_in();
  const json withdraw = {{"id", "r-1"}, {"purpose", "proximity_offers"}, {"given", false}};
  for (const char* origin : {"", "null", "https://evil.example", "http://my.aroma.example",
                             "https://my.aroma.example.evil.example"}) {
    origin_ = origin;
    const Response answer = ask("POST", "/v1/consents", cookie, withdraw);
    EXPECT_EQ(answer.status, 403) << origin;
    EXPECT_EQ(problem_of(answer), "foreign-origin");
    EXPECT_EQ(ask("DELETE", "/v1/session", cookie).status, 403);
    EXPECT_EQ(open(link()).status, 403);
  }
  origin_ = kOrigin;
  for (const char* type : {"", "text/plain", "application/x-www-form-urlencoded",
                           "multipart/form-data; boundary=x", "application/jsonp"}) {
    type_ = type;
    EXPECT_EQ(ask("POST", "/v1/consents", cookie, withdraw).status, 415) << type;
  }
  EXPECT_TRUE(crm_->given("c-paul", now_).has(Purpose::proximity_offers));
  type_ = "Application/JSON; charset=utf-8";
  EXPECT_EQ(ask("POST", "/v1/consents", cookie, withdraw).status, 200);
  EXPECT_FALSE(crm_->given("c-paul", now_).has(Purpose::proximity_offers));
}

TEST_F(DoorTest, AnOriginIsOfAnAddressOfAPage) {
  EXPECT_EQ(origin_of(kPage), kOrigin);
  EXPECT_EQ(origin_of("http://127.0.0.1:8080/phone/"), "http://127.0.0.1:8080");
  for (const char* bad :
       {"", "my.aroma.example/phone/", "https://", "https:///phone/", "https://my.aroma.example",
        "https://me@host/x", "https://h/#x", "javascript:alert(1)//x/"}) {
    EXPECT_EQ(origin_of(bad), "") << bad;
  }
}

// ---- limits, and what is no request ----

TEST_F(DoorTest, ADeviceThatAsksTooMuchWaits) {
  const std::string cookie = sign_in(), other = sign_in();
  int taken = 0;
  while (ask("GET", "/v1/me", cookie).status == 200) ++taken;
  EXPECT_EQ(taken, 60);
  EXPECT_EQ(problem_of(ask("GET", "/v1/me", cookie)), "too-many-requests");
  EXPECT_EQ(ask("GET", "/v1/me", other).status, 200);
  mono_ += 1s;
  EXPECT_EQ(ask("GET", "/v1/me", cookie).status, 200);
}

TEST_F(DoorTest, AnAddressThatAsksTooMuchWaits) {
  int taken = 0;
  while (ask("GET", "/nothing").status == 404) ++taken;
  EXPECT_EQ(taken, 400);
  address_ = "203.0.113.8";
  EXPECT_EQ(ask("GET", "/nothing").status, 404);
}

TEST_F(DoorTest, ALimitForgetsWhoHasNotComeForLong) {
  Limit limit({2, 1});
  for (int i = 0; i < 250'000; ++i) {
    mono_ += 1ms;
    EXPECT_TRUE(limit.take(std::to_string(i), mono_));
  }
  EXPECT_LE(limit.size(), 100'000U);
}

TEST_F(DoorTest, PathsThatAreNoneAreSaidSo) {
  const std::string cookie = sign_in();
  for (const char* path :
       {"", "/", "/v1", "/v1/", "/v1/me/", "//v1/me", "/v1/%6", "/v1/%zz", "/v1/me%00",
        "/v1/../v1/me", "/v1/devices/", "*", "/v1/offers/d-1/eaten"}) {
    EXPECT_EQ(ask("GET", path, cookie).status, std::string(path).ends_with("eaten") ? 405 : 404)
        << path;
    mono_ += 1s;
  }
  EXPECT_EQ(ask("POST", "/v1/offers/d-1/eaten", cookie, json{{"id", "1"}}).status, 404);
  EXPECT_EQ(ask("GET", "/v1/" + std::string(5000, 'a'), cookie).status, 404);
  const Response answer = ask("PUT", "/v1/session", cookie);
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.allow, "POST, DELETE");
}

TEST_F(DoorTest, HostileBodiesAreRefusedAndDoNothing) {
  const std::string cookie = sign_in();
  const std::string deep = std::string(8000, '[') + std::string(8000, ']');
  for (const std::string& body :
       {std::string("no json"), std::string("[]"), std::string("7"), std::string("null"),
        std::string("{\"id\":\"\xff\xfe\"}"), "{\"id\":" + deep + "}", deep, std::string("{}"),
        std::string(R"({"id":"r","purpose":"everything","given":true})"),
        std::string(R"({"id":"r","purpose":"proximity_offers","given":"no"})"),
        std::string(R"({"id":7,"purpose":"proximity_offers","given":false})"),
        std::string(R"({"purpose":"proximity_offers","given":false})"),
        R"({"id":")" + std::string(200, 'x') + R"(","purpose":"proximity_offers","given":false})",
        std::string(R"({"id":"r","purpose":"proximity_offers","given":false,"at":"tomorrow"})")}) {
    const Response answer = ask("POST", "/v1/consents", cookie, body);
    EXPECT_EQ(answer.status, 400) << body.substr(0, 80);
    EXPECT_EQ(problem_of(answer), "malformed");
  }
  EXPECT_EQ(ask("POST", "/v1/offers/%ff%fe/opened", cookie, json{{"id", "r"}}).status, 400);
  EXPECT_TRUE(crm_->given("c-paul", now_).has(Purpose::proximity_offers));
}

TEST_F(DoorTest, ADevicesNameIsOneLineAndShort) {
  const std::string name = "A\x1b[31m\nphone " + std::string(58, 'x') + "é";
  const std::string cookie = cookie_of(open(link(), "", name));
  const std::string kept = get("/v1/me", cookie).at("devices").at(0).at("name");
  EXPECT_EQ(kept.substr(0, 12), "A[31mphone x");
  EXPECT_LE(kept.size(), 60U);
}

// ---- consents ----

TEST_F(DoorTest, AConsentIsGivenAndTakenBackFromAnyDevice) {
  const std::string phone = sign_in(), tablet = sign_in();
  const auto before = crm_->newest_news();
  const Response answer =
      ask("POST", "/v1/consents", phone,
          json{{"id", "r-1"}, {"purpose", "face_recognition"}, {"given", false}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  const json body = json::parse(answer.body);
  EXPECT_EQ(body.at("purposes").at("face_recognition"), false);
  EXPECT_EQ(body.at("consent").at("history").back().at("how"), "app");
  EXPECT_EQ(told_since(before), std::vector<std::string>{"c-paul consents"});
  const json me = get("/v1/me", tablet);
  EXPECT_EQ(me.at("purposes").at("face_recognition"), false);
  EXPECT_EQ(me.at("purposes").at("proximity_offers"), true);
  EXPECT_EQ(me.at("consents").size(), 5U);
}

// ---- how they wish to be met, and who they are ----

TEST_F(DoorTest, HowSomebodyWishesToBeMetIsTheirOwnChoice) {
  ASSERT_TRUE(crm_->put_policy({{"time_zone", "Europe/Berlin"}}));
  const std::string phone = sign_in(), tablet = sign_in();
  EXPECT_EQ(get("/v1/me", phone).at("met"), "quietly") << "nobody is named who did not choose it";
  const auto before = crm_->newest_news();
  const json by_name = {{"id", "r-1"}, {"met", "by_name"}};
  EXPECT_EQ(ask("POST", "/v1/met", phone, by_name).status, 204);
  EXPECT_EQ(told_since(before), std::vector<std::string>{"c-paul profile"});
  EXPECT_EQ(get("/v1/me", tablet).at("met"), "by_name");
  const auto item = crm_->feed().get(Collection::profiles, "c-paul");
  ASSERT_TRUE(item);
  EXPECT_EQ(json::parse(item->value).at("met"), "by_name") << "the boxes hear of it";
  EXPECT_EQ(crm_->export_customer("c-paul", now_)->at("profile").at("met"), "by_name");

  const std::string said_at = contract::to_rfc3339(now_ + 1h);  // by a clock that is ahead
  EXPECT_EQ(
      ask("POST", "/v1/met", phone, json{{"id", "r-2"}, {"met", "not_today"}, {"at", said_at}})
          .status,
      204);
  json me = get("/v1/me", phone);
  EXPECT_EQ(me.at("met"), "by_name") << "what holds again tomorrow";
  const auto until = at(me.at("not_today_until"));
  EXPECT_LE(until, now_ + 24h);
  EXPECT_EQ((until - std::chrono::floor<std::chrono::days>(until)) % 24h, 22h) << "midnight there";
  now_ = until;
  EXPECT_FALSE(get("/v1/me", phone).contains("not_today_until"));

  EXPECT_EQ(ask("POST", "/v1/met", phone, json{{"id", "r-3"}, {"met", "loudly"}}).status, 400);
  EXPECT_EQ(ask("POST", "/v1/met", phone, json{{"id", "r-3"}}).status, 400);
  EXPECT_EQ(ask("POST", "/v1/met", "", by_name).status, 401);
}

TEST_F(DoorTest, WhatIsKnownOfSomebodyIsTheirsToChange) {
  const std::string phone = sign_in();
  const json details = {
      {"greeting", "Ms Berg"},
      {"language", "de"},
      {"preferences", {{{"key", "drink"}, {"value", "tea"}}, {{"key", "x"}, {"value", ""}}}}};
  EXPECT_EQ(ask("POST", "/v1/details", phone, json{{"id", "r-1"}, {"details", details}}).status,
            204);
  json me = get("/v1/me", phone);
  EXPECT_EQ(me.at("greeting"), "Ms Berg");
  EXPECT_EQ(me.at("language"), "de");
  EXPECT_EQ(me.at("preferences"), json::parse(R"([{"key":"drink","value":"tea"}])"));
  EXPECT_EQ(crm_->profile("c-paul")->at("preferences").at(0).at("source"), "app");
  const json taken_back = {{"greeting", ""}, {"preferences", {{{"key", "drink"}, {"value", ""}}}}};
  EXPECT_EQ(ask("POST", "/v1/details", phone, json{{"id", "r-2"}, {"details", taken_back}}).status,
            204);
  me = get("/v1/me", phone);
  EXPECT_FALSE(me.contains("greeting"));
  EXPECT_TRUE(me.at("preferences").empty());
  EXPECT_EQ(ask("POST", "/v1/details", phone,
                json{{"id", "r-3"}, {"details", {{"greeting", std::string(300, 'x')}}}})
                .status,
            400);
}

TEST_F(DoorTest, AComplaintIsForHeadOfficeAndGoesWithItsAuthor) {
  const std::string phone = sign_in();
  const json complaint = {{"id", "r-1"}, {"text", "I was called by name."}};
  EXPECT_EQ(ask("POST", "/v1/complaints", phone, complaint).status, 204);
  EXPECT_EQ(ask("POST", "/v1/complaints", phone, complaint).status, 204) << "and once only";
  const auto all = complaints(*db_);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].customer, "c-paul");
  EXPECT_EQ(all[0].text, "I was called by name.");
  EXPECT_FALSE(all[0].answered_at);
  EXPECT_TRUE(answer_complaint(*db_, all[0].number, now_));
  EXPECT_FALSE(answer_complaint(*db_, all[0].number, now_)) << "it is answered";
  EXPECT_FALSE(answer_complaint(*db_, all[0].number + 1, now_));
  EXPECT_TRUE(complaints(*db_)[0].answered_at);
  const std::string exported = crm_->export_customer("c-paul", now_)->dump();
  EXPECT_NE(exported.find("I was called by name."), std::string::npos);
  ASSERT_TRUE(crm_->forget("c-paul", now_));
  EXPECT_TRUE(complaints(*db_).empty());
}

// ---- what a desk wrote down ----

TEST_F(DoorTest, WhatADeskWroteDownIsConfirmedByItsOwnerAlone) {
  add("c-mia", "a-mia");
  ASSERT_EQ(DeskConsents(*crm_).judge(grant_of("c-mia"), now_), DeskConsents::Verdict::asked);
  const std::string mia = sign_in("c-mia"), paul = sign_in("c-paul");
  EXPECT_TRUE(get("/v1/me", paul).at("desk_consents").empty());
  const json asked = get("/v1/me", mia).at("desk_consents").at(0);
  EXPECT_EQ(asked.at("store"), "aroma-1");
  EXPECT_EQ(asked.at("purposes"), json{"face_recognition"});
  const std::string path = "/v1/desk-consents/" + asked.at("id").get<std::string>();
  EXPECT_EQ(ask("POST", path, "", json{{"confirmed", true}}).status, 401);
  EXPECT_EQ(problem_of(ask("POST", path, paul, json{{"confirmed", true}})), "no-such-desk-consent");
  EXPECT_EQ(ask("POST", path, mia, json{{"confirmed", "yes"}}).status, 400);
  EXPECT_FALSE(crm_->given("c-mia", now_).has(Purpose::face_recognition));
  const auto before = crm_->newest_news();
  EXPECT_EQ(ask("POST", path, mia, json{{"confirmed", true}}).status, 204);
  EXPECT_TRUE(crm_->given("c-mia", now_).has(Purpose::face_recognition));
  EXPECT_FALSE(told_since(before).empty()) << "other devices hear of it";
  EXPECT_EQ(ask("POST", path, mia, json{{"confirmed", true}}).status, 404);
  EXPECT_TRUE(get("/v1/me", mia).at("desk_consents").empty());
}

TEST_F(DoorTest, ACodeForTheDeskIsShownOnceAndIsTheirs) {
  const std::string paul = sign_in();
  const Response answer = ask("POST", "/v1/desk-code", paul, json::object());
  ASSERT_EQ(answer.status, 200) << answer.body;
  const std::string code = json::parse(answer.body).at("code");
  DeskConsents::Grant grant = grant_of("c-paul");
  grant.news.confirm = contract::Confirmation{contract::Confirmation::By::code, "", code, {}};
  EXPECT_EQ(DeskConsents(*crm_).judge(grant, now_), DeskConsents::Verdict::confirmed);
  EXPECT_EQ(ask("POST", "/v1/desk-code", "", json::object()).status, 401);
}

TEST_F(DoorTest, WhatIsNotSaidToHaveBeenEarlierIsSaidNow) {
  const std::string cookie = sign_in();
  const auto say = [&](const char* id, bool given) {
    now_ += 1s;
    const Response answer = ask("POST", "/v1/consents", cookie,
                                json{{"id", id}, {"purpose", "visit_analytics"}, {"given", given}});
    return json::parse(answer.body).at("purposes").at("visit_analytics").get<bool>();
  };
  EXPECT_FALSE(say("r-1", false));
  EXPECT_TRUE(say("r-2", true));
}

// A phone without a line says later when it was tapped.
TEST_F(DoorTest, ATapCountsFromWhenItWasAndNeverFromLater) {
  const std::string cookie = sign_in();
  const auto say = [&](const char* id, bool given, WallTime at) {
    return json::parse(ask("POST", "/v1/consents", cookie,
                           json{{"id", id},
                                {"purpose", "visit_analytics"},
                                {"given", given},
                                {"at", contract::to_rfc3339(at)}})
                           .body)
        .at("consent")
        .at("history")
        .back();
  };
  const json earlier = say("r-1", false, now_ - 3h);
  EXPECT_EQ(earlier.at("state"), "withdrawn");
  EXPECT_EQ(earlier.at("at"), contract::to_rfc3339(now_ - 3h));
  // An older grant brings nobody back.
  say("r-2", true, now_ - 4h);
  EXPECT_FALSE(crm_->given("c-paul", now_).has(Purpose::visit_analytics));
  const json future = say("r-3", true, at("2099-01-01T00:00:00Z"));
  EXPECT_EQ(future.at("at"), contract::to_rfc3339(now_));
}

TEST_F(DoorTest, ARequestThatComesTwiceIsDoneOnce) {
  const std::string cookie = sign_in();
  const json off = {{"id", "r-1"}, {"purpose", "visit_analytics"}, {"given", false}};
  EXPECT_EQ(ask("POST", "/v1/consents", cookie, off).status, 200);
  const auto steps = get("/v1/me", cookie).at("consents");
  now_ += 1min;
  EXPECT_EQ(ask("POST", "/v1/consents", cookie, off).status, 200);
  EXPECT_EQ(get("/v1/me", cookie).at("consents"), steps);
}

// ---- offers and questions ----

class DoorOffersTest : public DoorTest {
 protected:
  DoorOffersTest() {
    see_box("aroma-1", "box-1");
    Transaction transaction(*db_);
    event("e-0", "visit.started", "c-paul",
          {{"visit", "v-1"}, {"zone", "door"}, {"level", "near"}});
    transaction.commit();
    intake_->work(now_);
    cookie_ = sign_in();
  }
  void send_offer(const std::string& decision) {
    Transaction transaction(*db_);
    offer("e-" + decision, decision, "c-paul");
    transaction.commit();
    intake_->work(now_);
  }
  std::string cookie_;
};

TEST_F(DoorOffersTest, AnOfferIsThereOnEveryDeviceAndStaysAsItIs) {
  const auto before = crm_->newest_news();
  send_offer("d-1");
  ASSERT_EQ(told_since(before), std::vector<std::string>{"c-paul offers"}) << notes().back();
  const std::string other = sign_in();
  json offers = get("/v1/offers", other).at("offers");
  ASSERT_EQ(offers.size(), 1U);
  EXPECT_EQ(offers[0].at("title"), "An espresso?");
  EXPECT_EQ(offers[0].at("code"), "ESP");
  EXPECT_FALSE(offers[0].contains("opened_at"));
  EXPECT_EQ(ask("POST", "/v1/offers/d-1/opened", cookie_, json{{"id", "r-1"}}).status, 204);
  EXPECT_TRUE(get("/v1/offers", other).at("offers").at(0).contains("opened_at"));
  EXPECT_EQ(ask("POST", "/v1/offers/d-1/redeemed", other, json{{"id", "r-2"}}).status, 204);
  EXPECT_TRUE(get("/v1/offers", cookie_).at("offers").at(0).contains("redeemed_at"));
  EXPECT_EQ(ask("POST", "/v1/offers/d-1/dismissed", other, json{{"id", "r-3"}}).status, 204);
  EXPECT_TRUE(get("/v1/offers", cookie_).at("offers").empty());
}

TEST_F(DoorOffersTest, AnOfferOfSomebodyElseIsNobodys) {
  add("c-mia", "a-mia");
  send_offer("d-1");
  const std::string mia = sign_in("c-mia");
  EXPECT_TRUE(get("/v1/offers", mia).at("offers").empty());
  const Response answer = ask("POST", "/v1/offers/d-1/opened", mia, json{{"id", "r-1"}});
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(problem_of(answer), "no-such-offer");
}

TEST_F(DoorOffersTest, AnOfferGoesWithTheConsent) {
  send_offer("d-1");
  ask("POST", "/v1/consents", cookie_,
      json{{"id", "r-1"}, {"purpose", "proximity_offers"}, {"given", false}});
  EXPECT_TRUE(get("/v1/offers", cookie_).at("offers").empty());
}

TEST_F(DoorOffersTest, AQuestionGoesOnceItIsAnsweredOrNotWanted) {
  const auto put = [&](const char* id, const char* survey) {
    PageMessage message;
    message.id = MessageId(id);
    message.kind = PageMessage::Kind::survey;
    message.survey = survey;
    message.question = "How likely are you to recommend us?";
    message.expires_at = now_ + 1h;
    message.at = now_;
    Transaction transaction(*db_);
    crm_->to_page("c-paul", message, Purpose::visit_analytics);
    transaction.commit();
  };
  put("m-1", "s-1");
  put("m-2", "s/2");
  EXPECT_EQ(get("/v1/offers", cookie_).at("surveys").size(), 2U);
  EXPECT_EQ(ask("POST", "/v1/surveys/s-1/answer", cookie_,
                json{{"id", "r-1"}, {"survey_kind", "nps"}, {"score", 9}, {"text", "Good"}})
                .status,
            204);
  EXPECT_EQ(db_->query("SELECT score FROM survey_answer").at(0).integer(0), 9);
  EXPECT_EQ(ask("POST", "/v1/surveys/s%2F2/dismiss", cookie_, json::object()).status, 204);
  EXPECT_TRUE(get("/v1/offers", cookie_).at("surveys").empty());
  EXPECT_EQ(ask("POST", "/v1/surveys/s-1/dismiss", cookie_, json::object()).status, 404);
  EXPECT_EQ(ask("POST", "/v1/surveys/s-1/answer", cookie_,
                json{{"id", "r-2"}, {"survey_kind", "nps"}, {"score", 99}})
                .status,
            400);
}

// ---- what asks for a fresh link ----

TEST_F(DoorTest, ExportAndForgetWantAFreshLinkOnThisDevice) {
  const std::string cookie = sign_in();
  now_ += Session::kFresh;
  for (const char* path : {"/v1/export", "/v1/forget", "/v1/link"}) {
    const Response answer = ask("POST", path, cookie, json::object());
    EXPECT_EQ(answer.status, 403);
    EXPECT_EQ(problem_of(answer), "step-up-needed");
  }
  // On another device it helps nobody here.
  sign_in();
  EXPECT_EQ(problem_of(ask("POST", "/v1/export", cookie, json::object())), "step-up-needed");
  const Response again = open(link(), cookie);
  ASSERT_EQ(again.status, 204);
  EXPECT_TRUE(again.set_cookie.empty()) << "the session stays what it was";
  const Response data = ask("POST", "/v1/export", cookie, json::object());
  ASSERT_EQ(data.status, 200);
  EXPECT_TRUE(json::parse(data.body).contains("consents"));
  EXPECT_EQ(json::parse(data.body).at("devices").size(), 2U);
}

TEST_F(DoorTest, ADeviceLetsAnotherOneIn) {
  const std::string phone = sign_in();
  const Response answer = ask("POST", "/v1/link", phone, json::object());
  ASSERT_EQ(answer.status, 200) << answer.body;
  const json body = json::parse(answer.body);
  const std::string url = body.at("url"), before = std::string(kPage) + "#link=";
  ASSERT_TRUE(url.starts_with(before)) << url;
  EXPECT_EQ(body.at("expires_at"), contract::to_rfc3339(now_ + Sessions::kLinkLife));
  const json& rows = body.at("qr");
  EXPECT_GT(rows.size(), 20U);
  for (const std::string row : rows) {
    EXPECT_EQ(row.size(), rows.size());
    EXPECT_EQ(row.find_first_not_of("01"), std::string::npos);
  }
  // The corner by which a scanner knows a code.
  EXPECT_EQ(rows[0].get<std::string>().substr(0, 8), "11111110");
  EXPECT_EQ(rows[1].get<std::string>().substr(0, 8), "10000010");

  const auto news = crm_->newest_news();
  const std::string token = url.substr(before.size());
  const Response in = open(token, "", "Tablet");
  ASSERT_EQ(in.status, 204);
  EXPECT_EQ(told_since(news), std::vector<std::string>{"c-paul devices"}) << "the first one hears";
  EXPECT_EQ(get("/v1/me", cookie_of(in)).at("devices").size(), 2U);
  EXPECT_EQ(problem_of(open(token)), "link-used");
}

TEST_F(DoorTest, AnErasureTellsTheTruthUntilTheLastBox) {
  see_box("aroma-1", "box-1");
  see_box("aroma-1", "box-2");
  const std::string phone = sign_in(), tablet = sign_in();
  const std::string unused = link();
  const Response answer = ask("POST", "/v1/forget", phone, json::object());
  ASSERT_EQ(answer.status, 202) << answer.body;
  const json body = json::parse(answer.body);
  const std::string token = body.at("token");
  EXPECT_EQ(body.at("url"), std::string(kPage) + "#status=" + token);
  EXPECT_EQ(body.at("erasure").at("done"), 0);
  EXPECT_EQ(body.at("erasure").at("boxes"), 2);
  EXPECT_TRUE(body.at("erasure").at("done_at").is_null());
  // No device and no link of theirs is left.
  EXPECT_EQ(ask("GET", "/v1/me", phone).status, 401);
  EXPECT_EQ(ask("GET", "/v1/me", tablet).status, 401);
  EXPECT_EQ(problem_of(open(unused)), "link-unknown");
  // The way to the state says nothing of who it was.
  const std::string id = db_->query("SELECT erasure FROM erasure").at(0).text(0);
  const Rows kept = db_->query("SELECT token_hash, erasure FROM erasure_token");
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].text(1), id);

  const auto before = crm_->newest_news();
  Transaction transaction(*db_);
  crm_->erasure_done(id, "aroma-1", "box-1", "{}", now_ + 1min);
  transaction.commit();
  EXPECT_EQ(told_since(before), std::vector<std::string>{id + " erasure"});
  json state = get("/v1/erasures/" + token, "");
  EXPECT_EQ(state.at("done"), 1);
  EXPECT_TRUE(state.at("done_at").is_null());
  EXPECT_EQ(state.at("receipts").at(0), (json{{"store", "aroma-1"},
                                              {"box", "box-1"},
                                              {"done_at", contract::to_rfc3339(now_ + 1min)}}));
  EXPECT_TRUE(state.at("receipts").at(1).at("done_at").is_null());
  Transaction last(*db_);
  crm_->erasure_done(id, "aroma-1", "box-2", "{}", now_ + 2min);
  last.commit();
  state = get("/v1/erasures/" + token, "");
  EXPECT_EQ(state.at("done"), 2);
  EXPECT_EQ(state.at("done_at"), contract::to_rfc3339(now_ + 2min));
  EXPECT_EQ(state.dump().find("paul"), std::string::npos);
}

TEST_F(DoorTest, OnlyItsTokenTellsOfAnErasure) {
  const std::string cookie = sign_in();
  ask("POST", "/v1/forget", cookie, json::object());
  const std::string id = db_->query("SELECT erasure FROM erasure").at(0).text(0);
  EXPECT_EQ(problem_of(ask("GET", "/v1/erasures/" + id)), "no-such-erasure");
  EXPECT_EQ(problem_of(ask("GET", "/v1/erasures/c-paul/events")), "no-such-erasure");
}

// ---- streams ----

TEST_F(DoorTest, AStreamHearsOfItsOwnerAlone) {
  const std::string cookie = sign_in();
  const Response answer = ask("GET", "/v1/events", cookie);
  ASSERT_TRUE(answer.stream);
  EXPECT_EQ(answer.type, "text/event-stream");
  EXPECT_EQ(answer.stream->whose, "c-paul");
  EXPECT_TRUE(door_->may_listen(*answer.stream, now_));
  EXPECT_FALSE(door_->may_listen(*answer.stream, now_ + Sessions::kLife));
}

TEST_F(DoorTest, AConsentThatEndsByItselfIsToldToo) {
  Transaction transaction(*db_);
  ASSERT_TRUE(crm_->set_consent({.customer = "c-paul",
                                 .purpose = Purpose::visit_analytics,
                                 .given = true,
                                 .at = now_,
                                 .how = "crm",
                                 .notice = {},
                                 .expires_at = now_ + 1h},
                                now_));
  const auto before = crm_->newest_news();
  crm_->let_consents_end(now_ + 1h, 10);
  transaction.commit();
  EXPECT_EQ(told_since(before), std::vector<std::string>{"c-paul consents"});
  const std::string cookie = sign_in();
  now_ += 1h;
  EXPECT_EQ(get("/v1/me", cookie).at("purposes").at("visit_analytics"), false);
}

TEST_F(DoorTest, WhatIsOverIsForgotten) {
  const std::string cookie = sign_in();
  link();
  Transaction transaction(*db_);
  crm_->forget_the_old(now_ + Sessions::kLife + 48h, 100);
  transaction.commit();
  for (const Rows& left :
       {db_->query("SELECT 1 FROM door_link"), db_->query("SELECT 1 FROM door_session"),
        db_->query("SELECT 1 FROM news")}) {
    EXPECT_TRUE(left.empty());
  }
}

}  // namespace
}  // namespace welcome::crm
