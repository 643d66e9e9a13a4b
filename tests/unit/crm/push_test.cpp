// SPDX-License-Identifier: Apache-2.0
// Web Push: the vectors of RFC 8291, what a device says, and what its push service says back.

#include <gmock/gmock.h>
#include <map>

#include "crm/base64url.h"
#include "crm/push/pusher.h"
#include "crm/token.h"
#include "tests/unit/crm/door_fixture.h"

namespace welcome::crm {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string bytes(std::string_view text) { return from_base64url(text).value(); }

template <std::size_t kSize>
std::array<std::uint8_t, kSize> array_of(std::string_view text) {
  const std::string from = bytes(text);
  std::array<std::uint8_t, kSize> out{};
  EXPECT_EQ(from.size(), kSize);
  std::copy(from.begin(), from.end(), out.begin());
  return out;
}

// ---- the message ----

// RFC 8291, 5 and appendix A.
TEST(WebPush, TheExampleOfTheStandard) {
  const auto sender = P256::of(array_of<32>("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"));
  ASSERT_TRUE(sender);
  EXPECT_EQ(
      to_base64url(sender->point()),
      "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8");
  const webpush::Receiver to{
      bytes("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw"
            "4"),
      bytes("BTBZMqHH6r4Tts7J_aSIgg")};
  const std::string message = "When I grow up, I want to be a watermelon";
  const auto body = webpush::encrypted(to, message, *sender, array_of<16>("DGv6ra1nlYgDCS1FRnbzlw"),
                                       message.size());
  ASSERT_TRUE(body);
  EXPECT_EQ(
      to_base64url(*body),
      "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmY"
      "WAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexS"
      "gSxsj_Qulcy4a-fN");
}

TEST(WebPush, ItsLengthSaysNothing) {
  const P256 browser = P256::make();
  const webpush::Receiver to{browser.point(), std::string(16, 's')};
  EXPECT_EQ(webpush::encrypted(to, "a")->size(),
            webpush::encrypted(to, std::string(webpush::kMostBytes, 'a'))->size());
  EXPECT_NE(*webpush::encrypted(to, "a"), *webpush::encrypted(to, "a"));
  EXPECT_FALSE(webpush::encrypted(to, std::string(webpush::kMostBytes + 1, 'a')));
}

TEST(WebPush, WhatIsNoKeyIsRefused) {
  const std::string good = P256::make().point();
  std::string off_the_curve = good;
  off_the_curve.back() = static_cast<char>(off_the_curve.back() ^ 1);
  const std::string secret(16, 's');
  for (const webpush::Receiver& no :
       {webpush::Receiver{"", secret}, webpush::Receiver{off_the_curve, secret},
        webpush::Receiver{good.substr(1), secret}, webpush::Receiver{std::string(65, '\0'), secret},
        webpush::Receiver{good, "short"}}) {
    EXPECT_FALSE(webpush::encrypted(no, "a"));
  }
  EXPECT_TRUE(webpush::encrypted({good, secret}, "a"));
  EXPECT_FALSE(P256::of({}));
  P256Scalar too_large{};
  too_large.fill(0xff);
  EXPECT_FALSE(P256::of(too_large));
}

TEST(WebPush, TwoKeysAgree) {
  const P256 a = P256::make(), b = P256::make();
  EXPECT_EQ(a.agree(b.point()), b.agree(a.point()));
  EXPECT_EQ(P256::of(a.scalar())->point(), a.point());
}

TEST(WebPush, WhoSendsIsSigned) {
  const P256 key = P256::make();
  const std::string word = webpush::authorization(
      key, "https://push.example.com", "mailto:it@aroma.example", at("2026-01-02T03:04:05Z"));
  ASSERT_TRUE(word.starts_with("vapid t="));
  const auto dot = word.find('.');
  const auto claims = json::parse(bytes(word.substr(dot + 1, word.rfind('.') - dot - 1)));
  EXPECT_EQ(claims, (json{{"aud", "https://push.example.com"},
                          {"sub", "mailto:it@aroma.example"},
                          {"exp", 1767366245}}));
  EXPECT_THAT(word, HasSubstr(", k=" + to_base64url(key.point())));
}

// ---- where ----

TEST(Endpoint, IsAnAddressOfAServiceThatTheCompanyKnows) {
  const auto google = endpoint_of("https://fcm.googleapis.com/fcm/send/abc:def?x=1");
  ASSERT_TRUE(google);
  EXPECT_EQ(google->origin(), "https://fcm.googleapis.com");
  EXPECT_EQ(google->target, "/fcm/send/abc:def?x=1");
  EXPECT_TRUE(is_public_service(*google));
  EXPECT_TRUE(is_public_service(*endpoint_of("https://wns2-par02p.notify.windows.com/w/?token=B")));
  EXPECT_FALSE(is_public_service(*endpoint_of("https://fcm.googleapis.com:8443/a")));
  EXPECT_FALSE(is_public_service(*endpoint_of("https://notfcm.googleapis.com/a")));
  EXPECT_FALSE(is_public_service(*endpoint_of("https://notify.windows.com.example.org/a")));
  EXPECT_TRUE(
      is_one_of(*endpoint_of("https://push.aroma.example:8443/a"), {"push.aroma.example:8443"}));
  EXPECT_FALSE(
      is_one_of(*endpoint_of("https://push.aroma.example/a"), {"push.aroma.example:8443"}));
}

TEST(Endpoint, WhatIsNoAddressIsRefused) {
  for (const char* no :
       {"", "http://fcm.googleapis.com/a", "https://", "https:///a", "https://fcm.googleapis.com",
        "https://a@fcm.googleapis.com/", "https://fcm.googleapis.com:0/", "https://a:99999/",
        "https://a:/", "https://[::1]/a", "https://FCM.googleapis.com/a", "https://a/\r\nHost: b",
        "https://a/ b", "https://a/#b", "https://a:1:2/"}) {
    EXPECT_FALSE(endpoint_of(no)) << no;
  }
  EXPECT_FALSE(endpoint_of("https://a/" + std::string(1000, 'a')));
}

// ---- from the page to the push service ----

constexpr const char* kSomewhere = "https://fcm.googleapis.com/fcm/send/one";

class PushTest : public DoorTest {
 protected:
  PushTest() {
    Transaction transaction(*db_);
    Pushes(*crm_).set_up(how_);
    transaction.commit();
    pusher_ = std::make_unique<Pusher>(
        *crm_, *P256::of(key_.scalar()),
        [this](const std::vector<PushRequest>& requests) { return service(requests); });
  }
  ~PushTest() override { pusher_.reset(); }

  // A push service that keeps what it gets, and says what it is told to say.
  std::vector<PushAnswer> service(const std::vector<PushRequest>& requests) {
    std::vector<PushAnswer> out;
    for (const PushRequest& one : requests) {
      got_.push_back(one);
      out.push_back(answer_);
    }
    return out;
  }

  json device(const std::string& endpoint = kSomewhere, bool shows = false) const {
    return {{"endpoint", endpoint},
            {"p256dh", to_base64url(browser_.point())},
            {"auth", to_base64url(std::string(16, 's'))},
            {"language", "de"},
            {"shows", shows}};
  }
  std::string told(bool shows = false, const std::string& endpoint = kSomewhere) {
    const std::string cookie = sign_in();
    EXPECT_EQ(ask("POST", "/v1/push", cookie, device(endpoint, shows)).status, 204);
    return cookie;
  }
  void offer(const std::string& customer = "c-paul", const char* id = "m-1") {
    PageMessage message;
    message.kind = PageMessage::Kind::offer;
    message.id = MessageId(id);
    message.at = now_;
    message.expires_at = now_ + 1h;
    message.decision = DecisionId("d-1");
    message.title = "An espresso?";
    message.text = "It is on us.";
    Transaction transaction(*db_);
    crm_->to_page(customer, message, Purpose::proximity_offers);
    transaction.commit();
  }
  std::optional<WallTime> work() { return pusher_->work(how_, now_); }
  std::size_t waiting() { return db_->query("SELECT message FROM push_due").size(); }
  std::size_t devices() { return db_->query("SELECT session FROM push_device").size(); }

  P256 key_ = P256::make(), browser_ = P256::make();
  const Pushes::SetUp how_{"mailto:it@aroma.example", to_base64url(key_.point()), {}};
  std::vector<PushRequest> got_;
  PushAnswer answer_{201, "", {}};
  std::unique_ptr<Pusher> pusher_;
};

TEST_F(PushTest, AnOfferIsPushedOnceToEachDeviceThatAsked) {
  const std::string cookie = told();
  sign_in();  // another device, which did not ask
  offer();
  EXPECT_EQ(work(), std::nullopt);
  ASSERT_THAT(got_, SizeIs(1));
  EXPECT_EQ(got_[0].endpoint.target, "/fcm/send/one");
  EXPECT_EQ(got_[0].ttl, 1h);
  EXPECT_TRUE(got_[0].urgent);
  EXPECT_EQ(got_[0].topic, token_hash("m-1").substr(0, 32));
  work();
  EXPECT_THAT(got_, SizeIs(1));
  const json me = get("/v1/me", cookie);
  EXPECT_EQ(me.at("push"),
            (json{{"key", to_base64url(key_.point())}, {"on", true}, {"shows", false}}));
}

TEST_F(PushTest, NothingOfAnybodyIsInItUnlessTheyWantIt) {
  const auto words = [&](bool shows) {
    told(shows, std::string(kSomewhere) + (shows ? "a" : "b"));
    offer("c-paul", shows ? "m-a" : "m-b");
    Transaction transaction(*db_);
    const auto due = Pushes(*crm_).take(how_, now_, 10);
    EXPECT_FALSE(due.empty());
    return json::parse(due.back().words);
  };
  EXPECT_EQ(words(false), (json{{"v", 1}, {"id", "m-b"}, {"kind", "offer"}, {"language", "de"}}));
  const json shown = words(true);
  EXPECT_EQ(shown.at("title"), "An espresso?");
  EXPECT_EQ(shown.at("text"), "It is on us.");
  EXPECT_FALSE(shown.contains("code"));
}

TEST_F(PushTest, NotAfterAWithdrawalNorWhenItIsOver) {
  told();
  offer("c-paul", "m-1");
  consent("c-paul", Purpose::proximity_offers, false, now_);
  work();
  EXPECT_THAT(got_, IsEmpty());
  EXPECT_EQ(waiting(), 0U);
  consent("c-paul", Purpose::proximity_offers, true, now_ + 1s);
  now_ += 2s;
  offer("c-paul", "m-2");
  now_ += 1h;
  work();
  EXPECT_THAT(got_, IsEmpty());
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(PushTest, NotWhenTheyHaveSeenItOnAnotherDevice) {
  told();
  const std::string other = sign_in();
  see_box("aroma-1", "box-1");
  Transaction transaction(*db_);
  event("e-0", "visit.started", "c-paul", {{"visit", "v-1"}, {"zone", "door"}, {"level", "near"}});
  DoorTest::offer("e-d-1", "d-1", "c-paul");
  transaction.commit();
  intake_->work(now_);
  ASSERT_EQ(waiting(), 1U);
  ASSERT_EQ(ask("POST", "/v1/offers/d-1/opened", other, json{{"id", "r-1"}}).status, 204);
  work();
  EXPECT_THAT(got_, IsEmpty());
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(PushTest, WhatCannotBeSaidNowIsSaidAgain) {
  told();
  offer();
  answer_ = {0, "connection refused", {}};
  auto next = work();
  EXPECT_EQ(next, now_ + 5s);
  now_ = *next;
  answer_ = {429, "", 100s};
  next = work();
  EXPECT_EQ(next, now_ + 100s);
  now_ = *next;
  answer_ = {503, "", 48h};
  next = work();
  EXPECT_EQ(next, now_ + 1h) << "no service makes us wait for ever";
  EXPECT_EQ(waiting(), 1U);
  now_ = *next;
  work();
  EXPECT_EQ(waiting(), 0U) << "it is over";
  EXPECT_THAT(got_, SizeIs(3));
}

TEST_F(PushTest, WhoWasKilledBeforeTheAnswerAsksAgain) {
  told();
  offer();
  {
    Transaction transaction(*db_);
    EXPECT_THAT(Pushes(*crm_).take(how_, now_, 10), SizeIs(1));
    EXPECT_THAT(Pushes(*crm_).take(how_, now_, 10), IsEmpty()) << "two got it";
    transaction.commit();
  }
  now_ += 1min;
  work();
  EXPECT_THAT(got_, SizeIs(1));
}

TEST_F(PushTest, ABrowserThatIsGoneIsForgotten) {
  told();
  offer("c-paul", "m-1");
  offer("c-paul", "m-2");
  answer_ = {410, "", {}};
  work();
  EXPECT_EQ(devices(), 0U);
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(PushTest, WhatAServiceRefusesForGoodIsNotSaidAgain) {
  told();
  offer();
  answer_ = {413, "", {}};
  EXPECT_EQ(work(), std::nullopt);
  EXPECT_EQ(devices(), 1U);
}

TEST_F(PushTest, ItEndsWithTheDevice) {
  const std::string cookie = told();
  offer();
  EXPECT_EQ(ask("DELETE", "/v1/session", cookie).status, 204);
  EXPECT_EQ(devices(), 0U);
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(PushTest, AndWithTheCustomer) {
  told();
  offer();
  Transaction transaction(*db_);
  ASSERT_TRUE(crm_->forget("c-paul", now_));
  transaction.commit();
  EXPECT_EQ(devices(), 0U);
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(PushTest, AndWithAge) {
  told();
  offer();
  Transaction transaction(*db_);
  crm_->forget_the_old(now_ + Sessions::kLife + 48h, 100);
  transaction.commit();
  EXPECT_EQ(devices(), 0U);
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(PushTest, ADeviceCanStop) {
  const std::string cookie = told();
  EXPECT_EQ(ask("DELETE", "/v1/push", cookie).status, 204);
  offer();
  EXPECT_EQ(waiting(), 0U);
  EXPECT_EQ(get("/v1/me", cookie).at("push").at("on"), false);
}

TEST_F(PushTest, ABrowserIsWhoseItIsNow) {
  told();
  add("c-mia", "a-mia");
  const std::string mia = sign_in("c-mia");
  EXPECT_EQ(ask("POST", "/v1/push", mia, device()).status, 204);
  EXPECT_EQ(devices(), 1U);
  offer("c-paul");
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(PushTest, OnlyServicesThatTheCompanyKnows) {
  const std::string cookie = sign_in();
  const auto says = [&](const json& body) {
    return problem_of(ask("POST", "/v1/push", cookie, body));
  };
  EXPECT_EQ(says(device("https://intranet.aroma.example/a")), "push-service-unknown");
  EXPECT_EQ(says(device("https://127.0.0.1/a")), "push-service-unknown");
  EXPECT_EQ(says(device("http://fcm.googleapis.com/a")), "malformed");
  json no = device();
  no["p256dh"] = to_base64url(std::string(65, '\x04'));
  EXPECT_EQ(says(no), "malformed");
  Transaction transaction(*db_);
  Pushes(*crm_).turn_off();
  transaction.commit();
  EXPECT_EQ(says(device()), "no-push");
  EXPECT_FALSE(get("/v1/me", cookie).contains("push"));
}

TEST_F(PushTest, TheExportSaysWhereTheyAreTold) {
  told();
  const auto data = crm_->export_customer("c-paul", now_);
  ASSERT_TRUE(data);
  EXPECT_EQ(data->at("devices").at(0).at("push"), kSomewhere);
}

}  // namespace
}  // namespace welcome::crm
