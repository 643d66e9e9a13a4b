// SPDX-License-Identifier: Apache-2.0
// The same CRM on a real PostgreSQL, alone and as two instances that serve one fleet.

#include "tests/integration/crm_postgres.h"

#include "harness/authenticator.h"
#include "tests/integration/crm_page.h"
#include "tests/integration/crm_world.h"

namespace welcome::testing {
namespace {

using namespace std::chrono_literals;
using contract::Collection;

class CrmPostgresTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Broker::installed()) GTEST_SKIP() << "mosquitto is not installed";
    if (!Postgres::installed()) GTEST_SKIP() << "PostgreSQL is not installed";
    broker_ = std::make_unique<Broker>("allow_anonymous true\nmax_queued_messages 0\n");
    postgres_ = std::make_unique<Postgres>();
    first_ = std::make_unique<CrmProcess>(*broker_, postgres_->url());
    second_ = std::make_unique<CrmProcess>(*broker_, postgres_->url(), std::vector<std::string>{},
                                           first_->keys());
    first_->fill();
  }
  bool up_to_date(ModelBox& box) {
    return box.until([](ModelBox& b) {
      return b.count(Collection::consents) == 5 && b.has(Collection::profiles, "c-paul");
    });
  }

  std::unique_ptr<Broker> broker_;
  std::unique_ptr<Postgres> postgres_;
  std::unique_ptr<CrmProcess> first_, second_;
};

TEST_F(CrmPostgresTest, ServesBoxesAndPassesOnWhatACommandChanges) {
  first_->serve();
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(up_to_date(box));
  ASSERT_EQ(second_->command({"customer", "consent", "c-paul", "face_recognition", "withdrawn"}),
            0);
  EXPECT_TRUE(box.until([](ModelBox& b) { return b.consent_is("face_recognition", "withdrawn"); }));
  ASSERT_EQ(second_->command({"sign-keys", "--new"}), 0);
  ASSERT_EQ(second_->command({"pause", "face"}), 0);
  EXPECT_TRUE(box.until([](ModelBox& b) { return !b.controls.empty(); }));
  ASSERT_EQ(second_->command({"customer", "forget", "c-paul"}), 0);
  ASSERT_TRUE(box.until([](ModelBox& b) { return !b.commands.empty(); }));
  const contract::Command command = box.commands.at(0);
  const std::string old_key =
      json::parse(second_->output("boxes")).at(0).at("key").at("public_key");
  ASSERT_EQ(second_->command({"boxes", "trust", "aroma-1/box-1", "--key",
                              "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="}),
            0);
  box.event("e-r", "", ErasureReceipt{command.id, command.customer, {{"visits", 2}}, {}, true});
  EXPECT_TRUE(box.until([&](ModelBox&) {
    return json::parse(second_->output("boxes")).at(0).at("receipts_refused") == 1;
  }));
  EXPECT_EQ(second_->command({"erasure", "status", command.id.str()}), 1);
  ASSERT_EQ(second_->command({"boxes", "trust", "aroma-1/box-1", "--key", old_key}), 0);
  EXPECT_TRUE(box.until([&](ModelBox&) {
    return second_->command({"erasure", "status", command.id.str()}) == 0;
  }));
}

TEST_F(CrmPostgresTest, TwoInstancesShareTheEventsAndNothingHappensTwice) {
  constexpr int kEvents = 200;
  first_->serve({"--user", "crm-1", "--share", "crm", "--heartbeat-s", "2"});
  second_->serve({"--user", "crm-2", "--share", "crm", "--heartbeat-s", "2"});
  ASSERT_EQ(first_->command({"boxes", "admit", "aroma-1/box-2"}), 0);
  ModelBox box(*broker_), other(*broker_, "box-2");
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(other.connect());
  ASSERT_TRUE(box.until([&](ModelBox& b) {
    if (!b.has(Collection::profiles, "c-paul")) b.hello();  // nobody may have listened yet
    return b.has(Collection::profiles, "c-paul");
  }));
  for (int i = 0; i < kEvents; ++i) {
    const std::string n = std::to_string(i);
    box.offer("e-" + n, "d-" + n);
    if (i == kEvents / 2) {
      second_->stop(SIGTERM);
      second_->serve({"--user", "crm-2", "--share", "crm", "--heartbeat-s", "2"});
    }
  }
  ASSERT_TRUE(box.until([&](ModelBox&) { return first_->shown("c-paul").size() >= kEvents; }));
  std::map<std::string, int> times;
  for (const json& entry : first_->ledger()) ++times[entry.at("id")];
  EXPECT_EQ(times.size(), static_cast<std::size_t>(kEvents));
  const json shown = first_->shown("c-paul");
  std::set<std::string> decisions;
  for (const json& offer : shown) decisions.insert(offer.at("decision"));
  EXPECT_EQ(decisions.size(), shown.size()) << "an offer came twice";
  // A change through one instance reaches boxes whoever answered their hello.
  ASSERT_EQ(first_->command({"customer", "consent", "c-paul", "face_recognition", "withdrawn"}), 0);
  EXPECT_TRUE(box.until([](ModelBox& b) { return b.consent_is("face_recognition", "withdrawn"); }));
  EXPECT_TRUE(
      other.until([](ModelBox& b) { return b.consent_is("face_recognition", "withdrawn"); }));
}

// The broker stands still, so the instance that sent it cannot know that it arrived.
TEST_F(CrmPostgresTest, WhatAnInstanceCouldNotSendWhenItWasStoppedIsSentByAnother) {
  const auto connected = [this] {
    return first_->output("status").find("connected") != std::string::npos;
  };
  second_->serve({"--user", "crm-2", "--share", "crm", "--heartbeat-s", "2"});
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(box.until([&](ModelBox&) { return connected(); }));
  broker_->freeze();
  ASSERT_EQ(first_->command({"pause", "face"}), 0);
  EXPECT_EQ(second_->stop(), 0);
  broker_->thaw();
  first_->serve({"--user", "crm-1", "--share", "crm", "--heartbeat-s", "2"});
  EXPECT_TRUE(box.until([](ModelBox& b) { return !b.controls.empty(); }));
}

// Each instance has a door: what is said at one is so at the other, and told to who listens there.
TEST_F(CrmPostgresTest, TwoDoorsAreOne) {
  DoorOf first(*first_), second(*second_);
  const json link = new_link(*second_, "c-paul");
  const std::string cookie = first.open(link);
  EXPECT_EQ(second.ask("POST", "/v1/session", "", link).status, 410);
  const auto before = second.records.newest_news();
  const json off = {{"id", "r-1"}, {"purpose", "face_recognition"}, {"given", false}};
  ASSERT_EQ(first.ask("POST", "/v1/consents", cookie, off).status, 200);
  const auto news = second.records.news_after(before);
  ASSERT_EQ(news.size(), 1U);
  EXPECT_EQ(news[0].whose, "c-paul");
  const json me = json::parse(second.ask("GET", "/v1/me", cookie).body);
  EXPECT_EQ(me.at("purposes").at("face_recognition"), false);
  EXPECT_EQ(second.ask("POST", "/v1/consents", cookie, off).status, 200);
  EXPECT_EQ(second.ask("GET", "/v1/offers", cookie).status, 200);
  ASSERT_EQ(second.ask("POST", "/v1/export", cookie).status, 200);
  const crm::Response gone = second.ask("POST", "/v1/forget", cookie);
  ASSERT_EQ(gone.status, 202) << gone.body;
  EXPECT_EQ(first.ask("GET", "/v1/me", cookie).status, 401);
  const std::string token = json::parse(gone.body).at("token");
  EXPECT_EQ(first.ask("GET", "/v1/erasures/" + token, "").status, 200);
  crm::Transaction transaction(*first.db);
  first.records.forget_the_old(crm::wall_now() + std::chrono::hours(24 * 400), 100);
  transaction.commit();
  EXPECT_TRUE(first.records.news_after(0).empty());
}

// Whichever instance asks, any takes the answer, and once.
TEST_F(CrmPostgresTest, APasskeyIsOneOfBothDoors) {
  DoorOf first(*first_), second(*second_);
  const std::string cookie = first.open(new_link(*second_, "c-paul"));
  const auto challenge = [&](DoorOf& door, const char* what) {
    const auto answer = door.ask("POST", "/v1/passkeys/challenge", cookie, {{"for", what}});
    EXPECT_EQ(answer.status, 200) << answer.body;
    return json::parse(answer.body);
  };
  harness::Authenticator key;
  const json asked = challenge(first, "create");
  const json made = key.made(asked.at("challenge").get<std::string>());
  ASSERT_EQ(second.ask("POST", "/v1/passkeys", cookie, made).status, 204);
  const json used = key.used(challenge(second, "confirm").at("challenge").get<std::string>());
  EXPECT_EQ(first.ask("POST", "/v1/passkeys/confirm", cookie, used).status, 204);
  EXPECT_EQ(second.ask("POST", "/v1/passkeys/confirm", cookie, used).status, 410);
  const auto open = second.ask("POST", "/v1/session/challenge", "");
  json entering = key.used(json::parse(open.body).at("challenge").get<std::string>());
  entering["handle"] = asked.at("handle");
  const auto in = first.ask("POST", "/v1/session/passkey", "", entering);
  ASSERT_EQ(in.status, 204) << in.body;
  const std::string other = in.set_cookie.substr(0, in.set_cookie.find(';'));
  const json me = json::parse(second.ask("GET", "/v1/me", other).body);
  ASSERT_EQ(me.at("passkeys").size(), 1U);
  const std::string id = me.at("passkeys")[0].at("passkey");
  EXPECT_EQ(second.ask("DELETE", "/v1/passkeys/" + id, other).status, 204);
  EXPECT_EQ(first.ask("POST", "/v1/passkeys/challenge", cookie, {{"for", "confirm"}}).status, 404);
  EXPECT_EQ(first.ask("POST", "/v1/export", other).status, 200);
  EXPECT_EQ(first.ask("POST", "/v1/forget", other).status, 202);
}

}  // namespace
}  // namespace welcome::testing
