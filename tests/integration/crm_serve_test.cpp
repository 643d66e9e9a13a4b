// SPDX-License-Identifier: Apache-2.0
// welcome-crm against a real mosquitto, with boxes that run the real sync code.

#include "tests/integration/crm_page.h"
#include "tests/integration/crm_world.h"

namespace welcome::testing {
namespace {

using namespace std::chrono_literals;
using contract::Collection;

constexpr const char* kQueueEverything =
    "allow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 100\n";

class CrmServeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Broker::installed()) GTEST_SKIP() << "mosquitto is not installed";
    broker_ = std::make_unique<Broker>(kQueueEverything);
    crm_ = std::make_unique<CrmProcess>(*broker_);
    crm_->fill();
  }
  bool up_to_date(ModelBox& box) {
    return box.until([](ModelBox& b) {
      return b.count(Collection::consents) == 5 && b.has(Collection::policy, "policy") &&
             b.has(Collection::profiles, "c-paul");
    });
  }

  std::unique_ptr<Broker> broker_;
  std::unique_ptr<CrmProcess> crm_;
};

TEST_F(CrmServeTest, AFirstHelloBringsEverythingAndAChangeFollowsAtOnce) {
  crm_->serve();
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(up_to_date(box));
  const int hellos = box.hellos;
  ASSERT_EQ(crm_->command({"customer", "consent", "c-paul", "face_recognition", "withdrawn"}), 0);
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(box.until([](ModelBox& b) { return b.consent_is("face_recognition", "withdrawn"); }));
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - start);
  RecordProperty("withdrawal_ms", static_cast<int>(took.count()));
  EXPECT_EQ(box.hellos, hellos) << "a delta was enough";
}

TEST_F(CrmServeTest, ALostDeltaHealsWithTheNextOne) {
  crm_->serve();
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(up_to_date(box));
  box.lose = 1;
  ASSERT_EQ(crm_->command({"customer", "consent", "c-paul", "visit_analytics", "withdrawn"}), 0);
  ASSERT_TRUE(box.until([](ModelBox& b) { return b.lose == 0; }));
  ASSERT_EQ(crm_->command({"customer", "consent", "c-paul", "face_recognition", "withdrawn"}), 0);
  EXPECT_TRUE(box.until([](ModelBox& b) {
    return b.consent_is("visit_analytics", "withdrawn") &&
           b.consent_is("face_recognition", "withdrawn");
  }));
}

TEST_F(CrmServeTest, AWithdrawalThatWasLostLastHealsWithTheHeartbeat) {
  crm_->serve({"--heartbeat-s", "1"});
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(up_to_date(box));
  box.lose = 1;
  ASSERT_EQ(crm_->command({"customer", "consent", "c-paul", "face_recognition", "withdrawn"}), 0);
  EXPECT_TRUE(box.until([](ModelBox& b) { return b.consent_is("face_recognition", "withdrawn"); }));
}

TEST_F(CrmServeTest, ChangesMadeWhileServeWasAwayArriveWhenItIsBack) {
  crm_->serve();
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(up_to_date(box));
  crm_->stop(SIGKILL);
  ASSERT_EQ(crm_->command({"customer", "consent", "c-paul", "face_recognition", "withdrawn"}), 0);
  crm_->serve();
  EXPECT_TRUE(box.until([](ModelBox& b) { return b.consent_is("face_recognition", "withdrawn"); }));
}

TEST_F(CrmServeTest, ABoxThatSaidHelloBeforeTheCrmWasThereIsFound) {
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  crm_->serve();
  EXPECT_TRUE(up_to_date(box));
}

TEST_F(CrmServeTest, TheBrokerMayGoAndComeBack) {
  crm_->serve({"--heartbeat-s", "1"});
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(up_to_date(box));
  broker_->stop();
  ASSERT_EQ(crm_->command({"customer", "consent", "c-paul", "face_recognition", "withdrawn"}), 0);
  broker_->start();
  ASSERT_TRUE(box.peer().wait_up(2));
  box.hello();
  EXPECT_TRUE(box.until([](ModelBox& b) { return b.consent_is("face_recognition", "withdrawn"); }));
}

// The crown: events and their repeats, while serve is killed again and again.
TEST_F(CrmServeTest, EachEventIsInTheLedgerOnceAndEachOfferOnThePageHoweverOftenServeIsKilled) {
  constexpr int kEvents = 300;
  crm_->serve();
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(up_to_date(box));
  for (int i = 0; i < kEvents; ++i) {
    const std::string n = std::to_string(i);
    box.offer("e-" + n, "d-" + n);
    if (i % 3 == 0) box.offer("e-" + n, "d-" + n);
    if (i % 60 == 30) {
      crm_->stop(SIGKILL);
      crm_->serve();
    }
  }
  ASSERT_TRUE(box.until([&](ModelBox&) { return crm_->shown("c-paul").size() >= kEvents; }, 60s))
      << "an offer was lost";
  std::map<std::string, int> offers;
  for (const json& offer : crm_->shown("c-paul")) ++offers[offer.at("decision")];
  EXPECT_EQ(offers.size(), static_cast<std::size_t>(kEvents));
  for (const auto& [decision, count] : offers) EXPECT_EQ(count, 1) << decision;
  std::map<std::string, int> times;
  for (const json& entry : crm_->ledger()) ++times[entry.at("id")];
  EXPECT_EQ(times.size(), static_cast<std::size_t>(kEvents));
  for (const auto& [id, count] : times) EXPECT_EQ(count, 1) << id;
}

TEST_F(CrmServeTest, WhatAPageAsksForIsAnsweredAndReachesTheBox) {
  crm_->serve();
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(up_to_date(box));
  DoorOf door(*crm_);
  const crm::Response answer =
      door.ask("POST", "/v1/consents", door.open(new_link(*crm_, "c-paul")),
               {{"id", "q-1"}, {"purpose", "face_recognition"}, {"given", false}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  const json body = json::parse(answer.body);
  EXPECT_EQ(body.at("consent").at("history").back().at("state"), "withdrawn") << "the receipt";
  EXPECT_EQ(body.at("purposes").at("face_recognition"), false) << "and how things stand";
  EXPECT_TRUE(box.until([](ModelBox& b) { return b.consent_is("face_recognition", "withdrawn"); }));
}

TEST_F(CrmServeTest, ANoteComesBackDownWithTheProfile) {
  crm_->serve();
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(up_to_date(box));
  contract::StaffNews news;
  news.action.kind = StaffAction::Kind::note;
  news.action.visit = VisitId("v");
  news.action.staff = StaffId("eva");
  news.action.text = "Off to Lyon.";
  box.event("e-1", "c-paul", news);
  EXPECT_TRUE(box.until([](ModelBox& b) {
    return b.value(Collection::profiles, "c-paul").find("Off to Lyon.") != std::string::npos;
  }));
}

TEST_F(CrmServeTest, AnErasureReachesTheBoxThatWasOffAndIsCompleteWithItsReceipt) {
  crm_->serve();
  {
    ModelBox box(*broker_);
    ASSERT_TRUE(box.connect());
    ASSERT_TRUE(up_to_date(box));
  }
  ASSERT_EQ(crm_->command({"customer", "forget", "c-paul"}), 0);
  EXPECT_EQ(crm_->command({"erasure", "status", "c-paul"}), 1);

  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(box.until([](ModelBox& b) { return !b.commands.empty(); }));
  const contract::Command command = box.commands.at(0);
  EXPECT_EQ(command.kind, contract::Command::Kind::erase);
  EXPECT_EQ(command.customer, CustomerId("c-paul"));
  EXPECT_FALSE(box.has(Collection::profiles, "c-paul"));
  box.event("e-r", "", ErasureReceipt{command.id, command.customer, {{"visits", 2}}, {}, true});
  ASSERT_TRUE(box.until([&](ModelBox&) {
    return crm_->command({"erasure", "status", command.id.str()}) == 0;
  }));
}

TEST_F(CrmServeTest, AReceiptCountsWhenTheKeyOfTheBoxIsTrusted) {
  crm_->serve();
  {
    ModelBox box(*broker_);
    ASSERT_TRUE(box.connect());
    ASSERT_TRUE(up_to_date(box));
  }
  ASSERT_EQ(crm_->command({"customer", "forget", "c-paul"}), 0);

  // The same account with another key.
  ModelBox box(*broker_, "box-1", {1});
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(box.until([](ModelBox& b) { return !b.commands.empty(); }));
  const contract::Command command = box.commands.at(0);
  box.event("e-r", "", ErasureReceipt{command.id, command.customer, {{"visits", 2}}, {}, true});
  const auto standing = [&] {
    return json::parse(crm_->output("erasure status " + command.id.str())).at("by_box").at(0);
  };
  ASSERT_TRUE(box.until([&](ModelBox&) { return standing().contains("receipt_refused"); }));
  EXPECT_TRUE(standing().at("done_at").is_null());
  EXPECT_EQ(crm_->command({"erasure", "status", command.id.str()}), 1);
  const json known = json::parse(crm_->output("boxes")).at(0);
  EXPECT_EQ(known.at("receipts_refused"), 1);
  EXPECT_TRUE(known.at("key").contains("other"));

  ASSERT_EQ(crm_->command({"boxes", "trust", "aroma-1/box-1"}), 0);
  EXPECT_TRUE(box.until([&](ModelBox&) {
    return crm_->command({"erasure", "status", command.id.str()}) == 0;
  })) << "the running serve looks at it again";
}

TEST_F(CrmServeTest, APauseReachesTheBoxesThatAreThereAndTheOnesThatComeLater) {
  crm_->serve();
  ModelBox here(*broker_, "box-1");
  ASSERT_TRUE(here.connect());
  ASSERT_TRUE(up_to_date(here));
  ASSERT_EQ(crm_->command({"pause", "face"}), 0);
  ASSERT_EQ(crm_->command({"pause", "offers", "--store", "aroma-1"}), 0);
  const auto both = [](ModelBox& b) {
    std::set<Function> paused;
    for (const contract::Control& control : b.controls) paused.insert(control.function);
    return paused.size() == 2;
  };
  EXPECT_TRUE(here.until(both));
  ASSERT_EQ(crm_->command({"boxes", "admit", "aroma-1/box-2"}), 0);
  ModelBox later(*broker_, "box-2");
  ASSERT_TRUE(later.connect());
  EXPECT_TRUE(later.until(both));
}

// Rules of a broker that somebody wrote by hand.
TEST_F(CrmServeTest, APauseThatTheBrokerDoesNotTakeGoesAgain) {
  const TempDir dir;
  const std::string rules = (dir / "acl").string();
  std::ofstream(rules) << "pattern readwrite welcome/v1/demo/aroma-1/box-1/#\n";
  broker_ = std::make_unique<Broker>(kQueueEverything + ("acl_file " + rules + "\n"));
  crm_ = std::make_unique<CrmProcess>(*broker_);
  crm_->fill();
  crm_->serve({"--heartbeat-s", "1"});
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(up_to_date(box));
  ASSERT_EQ(crm_->command({"pause", "face"}), 0);
  ASSERT_TRUE(box.until([&](ModelBox&) {
    return json::parse(crm_->output("status")).at(0).at("counters").at("undeliverable") > 0;
  })) << "it is counted";
  EXPECT_TRUE(box.controls.empty());
  std::ofstream(rules) << "pattern readwrite welcome/#\n";
  broker_->reload();
  EXPECT_TRUE(box.until([](ModelBox& b) { return !b.controls.empty(); }));
}

// ---- admitted, revoked ----

TEST_F(CrmServeTest, ABoxThatNobodyAdmittedGetsNothingUntilSomebodyDoes) {
  crm_->serve({"--heartbeat-s", "1"});
  ModelBox known(*broker_);
  ASSERT_TRUE(known.connect());
  ASSERT_TRUE(up_to_date(known));
  ModelBox stranger(*broker_, "box-9");
  ASSERT_TRUE(stranger.connect());
  stranger.offer("e-9", "d-9");
  ASSERT_TRUE(known.until([&](ModelBox&) {
    const json last = json::parse(crm_->output("boxes")).back();
    return last.value("tried", "") == "state, hello, event";
  }));
  known.offer("e-1", "d-1");
  ASSERT_TRUE(known.until([&](ModelBox&) { return crm_->ledger().size() == 1; }));
  EXPECT_TRUE(stranger.peer().wait([](const Peer& peer) { return peer.messages.empty(); }, 0ms));
  EXPECT_EQ(crm_->ledger().at(0).at("box"), "box-1") << "what it said is not kept";
  const json shown = json::parse(crm_->output("boxes")).back();
  EXPECT_EQ(shown.at("box"), "box-9");
  EXPECT_EQ(shown.at("admitted"), false);
  EXPECT_EQ(shown.at("tried"), "state, hello, event");
  ASSERT_EQ(crm_->command({"boxes", "admit", "aroma-1/box-9"}), 0);
  EXPECT_TRUE(up_to_date(stranger)) << "it hears where the feed stands, and asks";
}

TEST_F(CrmServeTest, ARevokedBoxHearsNothingMore) {
  crm_->serve({"--heartbeat-s", "1"});
  ModelBox stolen(*broker_), other(*broker_, "box-2");
  ASSERT_EQ(crm_->command({"boxes", "admit", "aroma-1/box-2"}), 0);
  for (ModelBox* box : {&stolen, &other}) {
    ASSERT_TRUE(box->connect());
    ASSERT_TRUE(up_to_date(*box));
  }
  ASSERT_EQ(crm_->command({"boxes", "revoke", "aroma-1/box-1"}), 0);
  ASSERT_EQ(crm_->command({"customer", "consent", "c-paul", "face_recognition", "withdrawn"}), 0);
  ASSERT_TRUE(
      other.until([](ModelBox& b) { return b.consent_is("face_recognition", "withdrawn"); }));
  stolen.hello();
  stolen.offer("e-1", "d-1");
  other.offer("e-2", "d-2");
  ASSERT_TRUE(other.until([&](ModelBox&) { return crm_->ledger().size() == 1; }));
  EXPECT_EQ(crm_->ledger().at(0).at("box"), "box-2");
  EXPECT_FALSE(stolen.until(
      [](ModelBox& b) { return b.consent_is("face_recognition", "withdrawn"); }, 1500ms));
}

// ---- restored from a backup ----

class CrmRestoreTest : public CrmServeTest {
 protected:
  // The one box of the fleet, as `boxes` shows it.
  json box() { return json::parse(crm_->output("boxes")).at(0); }
  bool up_to_date_says_the_crm(ModelBox& b) {
    return b.until([&](ModelBox&) { return box().at("up_to_date").get<bool>(); });
  }
  // That a function is paused, by a control with a later number than this one.
  static bool is_paused(ModelBox& b, Function function, std::uint64_t after) {
    return b.until([&](ModelBox&) {
      return std::any_of(b.controls.begin(), b.controls.end(), [&](const contract::Control& c) {
        return c.function == function && c.paused && c.seq > after;
      });
    });
  }
  std::string saved() const { return crm_->database() + ".saved"; }
  void put_back() {
    for (const char* log : {"-wal", "-shm"}) std::filesystem::remove(crm_->database() + log);
    std::filesystem::copy_file(saved(), crm_->database(),
                               std::filesystem::copy_options::overwrite_existing);
  }
};

TEST_F(CrmRestoreTest, UpToDateIsWhatTheBoxHasConfirmed) {
  crm_->serve();
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(up_to_date(box));
  ASSERT_TRUE(up_to_date_says_the_crm(box));
  box.confirms = false;
  ASSERT_EQ(crm_->command({"customer", "consent", "c-paul", "face_recognition", "withdrawn"}), 0);
  ASSERT_TRUE(box.until([](ModelBox& b) { return b.consent_is("face_recognition", "withdrawn"); }));
  EXPECT_FALSE(this->box().at("up_to_date").get<bool>()) << "it was told, and has not said so";
  box.confirm();
  ASSERT_TRUE(up_to_date_says_the_crm(box));
  ASSERT_EQ(crm_->command({"pause", "face"}), 0);
  ASSERT_TRUE(box.until([](ModelBox& b) { return !b.controls.empty(); }));
  EXPECT_FALSE(this->box().at("control_confirmed").get<bool>());
  box.confirm();
  EXPECT_TRUE(up_to_date_says_the_crm(box));
}

TEST_F(CrmRestoreTest, ADatabaseThatWasSetBackIsHeardAgainWithoutAWord) {
  crm_->serve();
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(up_to_date(box));
  ASSERT_EQ(crm_->command({"pause", "offers"}), 0);
  ASSERT_EQ(crm_->command({"backup", saved()}), 0);
  // What the backup does not have: the boxes are ahead of it, and have obeyed later controls.
  for (const char* state : {"withdrawn", "given", "withdrawn", "given"}) {
    ASSERT_EQ(crm_->command({"customer", "consent", "c-paul", "face_recognition", state}), 0);
  }
  ASSERT_EQ(crm_->command({"resume", "offers"}), 0);
  ASSERT_TRUE(box.until([](ModelBox& b) { return b.controls.size() >= 2; }));
  ASSERT_TRUE(up_to_date_says_the_crm(box));
  const std::uint64_t obeyed = box.controls.back().seq;
  crm_->stop();
  put_back();

  crm_->serve({"--heartbeat-s", "1"});
  ASSERT_EQ(crm_->command({"pause", "face"}), 0);
  ASSERT_EQ(crm_->command({"customer", "consent", "c-paul", "visit_analytics", "withdrawn"}), 0);
  EXPECT_TRUE(box.until([](ModelBox& b) { return b.consent_is("visit_analytics", "withdrawn"); }))
      << "a withdrawal after the restore reaches the box";
  EXPECT_TRUE(is_paused(box, Function::face, obeyed))
      << "and a pause bears a number that a box obeys";
  EXPECT_TRUE(is_paused(box, Function::offers, obeyed))
      << "what is paused in the database is paused in the shop";
  EXPECT_TRUE(up_to_date_says_the_crm(box));
}

// Also where nothing but a control was lost: the box has resumed what the database says is paused.
TEST_F(CrmRestoreTest, AControlThatWasLostIsNoticed) {
  crm_->serve();
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(up_to_date(box));
  ASSERT_EQ(crm_->command({"pause", "offers"}), 0);
  ASSERT_EQ(crm_->command({"backup", saved()}), 0);
  ASSERT_EQ(crm_->command({"resume", "offers"}), 0);
  ASSERT_TRUE(box.until([](ModelBox& b) { return b.controls.size() >= 2; }));
  ASSERT_TRUE(up_to_date_says_the_crm(box));
  const std::uint64_t obeyed = box.controls.back().seq;
  crm_->stop();
  put_back();

  crm_->serve({"--heartbeat-s", "1"});
  box.hello();
  EXPECT_TRUE(is_paused(box, Function::offers, obeyed))
      << "what is paused in the database is paused in the shop";
}

// Numbers used a second time look like the first time. Only a person knows.
TEST_F(CrmRestoreTest, RestoredTellsEverybodyEverythingAgain) {
  crm_->serve();
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(up_to_date(box));
  ASSERT_TRUE(up_to_date_says_the_crm(box));
  const int hellos = box.hellos;
  ASSERT_EQ(crm_->command({"restored"}), 0);
  EXPECT_TRUE(box.until([&](ModelBox& b) { return b.hellos > hellos; })) << "at once";
  EXPECT_TRUE(up_to_date_says_the_crm(box));
}

// ---- staff ----

TEST_F(CrmServeTest, ALeaverIsGoneFromTheBoxesOfTheirStore) {
  ASSERT_EQ(crm_->command({"boxes", "admit", "aroma-2/box-1"}), 0);
  crm_->serve();
  ModelBox one(*broker_), two(*broker_, "box-1", {}, "aroma-2");
  ASSERT_TRUE(one.connect());
  ASSERT_TRUE(two.connect());
  ASSERT_TRUE(up_to_date(one));
  ASSERT_TRUE(up_to_date(two));
  const auto add = [&](const char* id, const char* store) {
    ASSERT_EQ(crm_->command({"staff", "add", id, "--name", "N", "--store", store}), 0);
  };
  add("anna", "aroma-1");
  add("ben", "aroma-2");
  add("eva", "all");
  ASSERT_TRUE(one.until([](ModelBox& b) { return b.count(Collection::staff) == 2; }));
  ASSERT_TRUE(two.until([](ModelBox& b) { return b.count(Collection::staff) == 2; }));
  EXPECT_TRUE(one.has(Collection::staff, "anna") && one.has(Collection::staff, "eva"));
  EXPECT_TRUE(two.has(Collection::staff, "ben") && two.has(Collection::staff, "eva"));
  const int hellos = one.hellos + two.hellos;
  ASSERT_EQ(crm_->command({"staff", "remove", "eva"}), 0);
  EXPECT_TRUE(one.until([](ModelBox& b) { return !b.has(Collection::staff, "eva"); }, 1s));
  EXPECT_TRUE(two.until([](ModelBox& b) { return !b.has(Collection::staff, "eva"); }, 1s));
  EXPECT_EQ(one.hellos + two.hellos, hellos) << "deltas were enough";
  EXPECT_TRUE(one.has(Collection::staff, "anna"));

  // A database that was put back tells everybody theirs again.
  ASSERT_EQ(crm_->command({"restored"}), 0);
  ASSERT_TRUE(one.until([&](ModelBox& b) { return b.hellos + two.hellos > hellos; }));
  EXPECT_TRUE(one.until([](ModelBox& b) {
    return b.count(Collection::staff) == 1 && b.has(Collection::staff, "anna");
  }));
}

// ---- what a desk wrote down ----

TEST_F(CrmServeTest, ABoxIsToldToTakeBackWhatIsNotConfirmed) {
  crm_->serve();
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(up_to_date(box));
  contract::ConsentNews grant;
  grant.given = true;
  grant.at = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  grant.confirm = contract::Confirmation{contract::Confirmation::By::code, "", "123456", {}};
  box.event("e-1", "c-paul", grant);
  ASSERT_TRUE(box.until([](ModelBox& b) { return !b.commands.empty(); }));
  const contract::Command& command = box.commands.front();
  EXPECT_EQ(command.kind, contract::Command::Kind::take_back);
  EXPECT_EQ(command.events, std::vector<MessageId>{MessageId("e-1")});
  EXPECT_EQ(command.reason, contract::Command::Reason::code);
}

// ---- beside a long import ----

TEST_F(CrmServeTest, AnImportLeavesRoomForServeAndForAWithdrawal) {
  crm_->serve();
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(up_to_date(box));
  const std::string file = crm_->database() + ".csv";
  {
    std::ofstream out(file);
    out << "customer,name,points\n";
    for (int i = 0; i < 20'000; ++i) out << "c-" << i << ",Name " << i << ',' << i << '\n';
  }
  Process import({kCrmProgram, "--database", crm_->database(), "import", file}, file + ".log");
  std::chrono::milliseconds longest{0};
  int asked = 0;
  const auto customers = [&] { return json::parse(crm_->output("customer list")).size(); };
  while (!import.ended()) {
    const auto start = std::chrono::steady_clock::now();
    ASSERT_EQ(crm_->command({"customer", "consent", "c-paul", "face_recognition",
                             asked % 2 == 0 ? "withdrawn" : "given"}),
              0);
    longest = std::max(longest, std::chrono::duration_cast<std::chrono::milliseconds>(
                                    std::chrono::steady_clock::now() - start));
    ++asked;
  }
  EXPECT_EQ(customers(), 20'001U);
  RecordProperty("longest_ms", static_cast<int>(longest.count()));
  EXPECT_GT(asked, 0);
  EXPECT_LT(longest, 5s) << "a withdrawal gets in between";
  box.offer("e-1", "d-1");
  EXPECT_TRUE(box.until([&](ModelBox&) { return crm_->ledger().size() == 1; })) << "serve lives";
}

// As AWS IoT does.
TEST_F(CrmServeTest, ABrokerThatTakesSmallPacketsGetsSmallPackets) {
  const std::string small = std::string(kQueueEverything) + "max_packet_size 131072\n";
  broker_ = std::make_unique<Broker>(small);
  crm_ = std::make_unique<CrmProcess>(*broker_);
  crm_->fill();
  const std::string file = crm_->database() + ".csv";
  {
    std::ofstream out(file);
    out << "customer,name,avoid\n";
    const std::string long_text(180, 'x');
    for (int i = 0; i < 1000; ++i) out << "c-" << i << ",Name " << i << ',' << long_text << '\n';
    std::ofstream consents(file + ".consents.csv");
    consents << "customer,purpose,state,at\n";
    for (int i = 0; i < 1000; ++i) {
      consents << "c-" << i << ",proximity_offers,given,2026-01-12T09:30:00Z\n";
    }
  }
  ASSERT_EQ(crm_->command({"import", file, file + ".consents.csv"}), 0);
  crm_->serve();
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(box.until([](ModelBox& b) { return b.count(Collection::profiles) == 1001; }));

  // The other way round: what the broker does not take comes back, and the line stays.
  contract::Message large = contract::encode_hello(box.address(), {1, "0.1.0", {}, 0, true});
  large.payload.resize(140'000, ' ');
  box.publish(large);
  ASSERT_TRUE(box.peer().wait([](const Peer& peer) { return !peer.refused.empty(); }));
  EXPECT_TRUE(box.peer().refused[0].for_good);
  EXPECT_EQ(box.peer().refused[0].why, "packet too large");
  EXPECT_TRUE(box.peer().downs.empty());
}

TEST_F(CrmServeTest, ABoxHasTheProfilesOfThoseThatItHasSeen) {
  EXPECT_EQ(crm_->command({"scope", "visited"}), 1) << "nothing is signed";
  ASSERT_EQ(crm_->command({"sign-keys", "--new"}), 0);
  ASSERT_EQ(crm_->command({"scope", "visited"}), 0);
  ASSERT_EQ(crm_->command({"boxes", "admit", "aroma-1/box-2"}), 0);
  crm_->serve({"--heartbeat-s", "1"});
  ModelBox box(*broker_), other(*broker_, "box-2");
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(other.connect());
  const auto has_consents = [](ModelBox& b) { return b.count(Collection::consents) == 5; };
  ASSERT_TRUE(box.until(has_consents));
  ASSERT_TRUE(other.until(has_consents));
  EXPECT_FALSE(box.has(Collection::profiles, "c-paul"));

  const auto start = std::chrono::steady_clock::now();
  box.event("e-1", "c-paul", contract::ProfileWanted{});
  ASSERT_TRUE(box.until([](ModelBox& b) { return b.has(Collection::profiles, "c-paul"); }));
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - start);
  RecordProperty("profile_ms", static_cast<int>(took.count()));
  const int hellos = box.hellos;
  ASSERT_EQ(crm_->command({"customer", "consent", "c-paul", "face_recognition", "withdrawn"}), 0);
  const auto withdrawn = [](ModelBox& b) { return b.consent_is("face_recognition", "withdrawn"); };
  ASSERT_TRUE(other.until(withdrawn));
  EXPECT_FALSE(other.has(Collection::profiles, "c-paul"));
  EXPECT_TRUE(box.until(withdrawn));
  EXPECT_EQ(box.hellos, hellos) << "heartbeats and deltas are its own";
  EXPECT_EQ(box.count(Collection::profiles), 1U);

  ASSERT_EQ(crm_->command({"scope", "all"}), 0);
  EXPECT_TRUE(other.until([](ModelBox& b) { return b.has(Collection::profiles, "c-paul"); }));
}

TEST_F(CrmServeTest, ABoxHasWhoIsAtHomeInItsRegion) {
  ASSERT_EQ(crm_->command({"sign-keys", "--new"}), 0);
  EXPECT_EQ(crm_->command({"scope", "region"}), 1) << "aroma-1 is in no region";
  ASSERT_EQ(crm_->command({"region", "store", "aroma-1", "north"}), 0);
  ASSERT_EQ(crm_->command({"boxes", "admit", "aroma-2/box-1", "--region", "south"}), 0);
  EXPECT_EQ(crm_->command({"customer", "region", "c-paul", "nroth"}), 1);
  ASSERT_EQ(crm_->command({"customer", "region", "c-paul", "north"}), 0);
  ASSERT_EQ(crm_->command({"scope", "region", "visited"}), 0);
  EXPECT_EQ(crm_->command({"boxes", "admit", "aroma-3/box-1"}), 1) << "where is that?";
  crm_->serve({"--heartbeat-s", "1"});
  ModelBox north(*broker_), south(*broker_, "box-1", {}, "aroma-2");
  ASSERT_TRUE(north.connect());
  ASSERT_TRUE(south.connect());
  const auto consents = [](std::size_t n) {
    return [n](ModelBox& b) {
      return b.count(Collection::policy) == 1 && b.count(Collection::consents) == n;
    };
  };
  ASSERT_TRUE(north.until(consents(5)));
  ASSERT_TRUE(south.until(consents(0)));
  EXPECT_EQ(north.region(), "north");
  EXPECT_EQ(south.region(), "south");

  // Nobody there was ever told of them, so nobody there speaks of them.
  south.event("e-1", "c-paul", contract::ProfileWanted{});
  ASSERT_TRUE(south.until([&](ModelBox&) {
    const auto lines = crm_->ledger();
    return lines.size() == 1 && lines[0].at("handled") == true;
  }));
  EXPECT_EQ(crm_->ledger().at(0).at("note"), "not believed: somebody of another region");

  const int hellos = north.hellos + south.hellos;
  ASSERT_EQ(crm_->command({"customer", "region", "c-paul", "south"}), 0);
  ASSERT_TRUE(south.until(consents(5)));
  ASSERT_TRUE(north.until(consents(0)));
  EXPECT_EQ(north.hellos + south.hellos, hellos) << "deltas and heartbeats are their own";

  // The store goes to the region where he is, while its box is there.
  ASSERT_EQ(crm_->command({"region", "store", "aroma-1", "south"}), 0);
  ASSERT_TRUE(north.until(consents(5)));
  EXPECT_EQ(north.region(), "south");
  const auto all_up_to_date = [&](ModelBox&) {
    south.until([](ModelBox&) { return true; });
    const json boxes = json::parse(crm_->output("boxes"));
    return boxes.size() == 2 && boxes[0].at("region") == "south" &&
           boxes[0].at("up_to_date") == true && boxes[1].at("up_to_date") == true;
  };
  EXPECT_TRUE(north.until(all_up_to_date)) << crm_->output("boxes");
  const json status = json::parse(crm_->output("status"));
  EXPECT_EQ(status.at(0).at("counters").at("set_back"), 0);
  ASSERT_EQ(crm_->command({"scope", "all"}), 0);
  EXPECT_TRUE(south.until([](ModelBox& b) { return b.has(Collection::profiles, "c-paul"); }));
}

TEST_F(CrmServeTest, ABadMessageIsRefusedAndTheRestGoesOn) {
  crm_->serve();
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(up_to_date(box));
  contract::Message bad;
  bad.topic = contract::event_topic(box.address());
  for (const char* payload : {"", "{", "[]", "{\"specversion\":\"1.0\"}", "\xFF\xFE"}) {
    bad.payload = payload;
    box.publish(bad);
  }
  box.offer("e-1", "d-1");
  EXPECT_TRUE(box.until([&](ModelBox&) { return crm_->ledger().size() == 1; }));
}

TEST_F(CrmServeTest, TwoServesDoNotShareASqliteFile) {
  crm_->serve();
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(up_to_date(box));
  EXPECT_EQ(
      crm_->command({"serve", "--broker", "mqtt://127.0.0.1:" + std::to_string(broker_->port())}),
      3);
}

TEST_F(CrmServeTest, StopsCleanly) {
  crm_->serve();
  ModelBox box(*broker_);
  ASSERT_TRUE(box.connect());
  ASSERT_TRUE(up_to_date(box));
  EXPECT_EQ(crm_->stop(SIGTERM), 0);
}

}  // namespace
}  // namespace welcome::testing
