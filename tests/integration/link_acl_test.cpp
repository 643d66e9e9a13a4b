// SPDX-License-Identifier: Apache-2.0
// The access rules of packaging/broker, as mosquitto enforces them.

#include <gtest/gtest.h>
#include <map>
#include <set>
#include <sstream>

#include "tests/integration/link_broker.h"
#include "tests/integration/link_peer.h"

namespace welcome::sync {

using namespace contract;
namespace {

using namespace std::chrono_literals;
using welcome::testing::Broker;
using welcome::testing::Peer;
using welcome::testing::run_program;
using welcome::testing::TempDir;

const BoxAddress kBox1{"demo", "aroma-1", "box-1"};
const BoxAddress kBox2{"demo", "aroma-1", "box-2"};

// One of our files of rules, with its @NAMES@ filled in.
using Names = std::map<std::string, std::string>;
std::string rules_of(const std::string& file, const Names& names = {}) {
  std::ifstream in(std::string(WELCOME_ACL) + "/" + file);
  std::ostringstream read;
  read << in.rdbuf();
  std::string text = read.str();
  for (const auto& [name, value] : names) {
    const std::string mark = "@" + name + "@";
    for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
      text.replace(at, mark.size(), value);
    }
  }
  return text + "\n";
}
std::string box_rules(const BoxAddress& box) {
  return rules_of("central-box.acl.in",
                  {{"TENANT", box.tenant}, {"STORE", box.store}, {"BOX", box.box}});
}

// A broker with these rules and accounts (password = name).
class GuardedBroker {
 public:
  GuardedBroker(const std::string& rules, const std::vector<std::string>& accounts) {
    std::ofstream(dir_ / "acl") << rules;
    std::ofstream(dir_ / "passwords").close();
    for (const std::string& account : accounts) {
      run_program({"mosquitto_passwd", "-b", (dir_ / "passwords").string(), account, account});
    }
    broker_ =
        std::make_unique<Broker>("password_file " + (dir_ / "passwords").string() + "\nacl_file " +
                                 (dir_ / "acl").string() + "\nuse_username_as_clientid true\n");
  }

  LinkConfig account(const std::string& name, std::vector<std::string> topics) const {
    LinkConfig config;
    config.port = broker_->port();
    config.client_id = config.user = config.password = name;
    config.subscriptions = std::move(topics);
    config.backoff_first = 100ms;
    return config;
  }

 private:
  TempDir dir_;
  std::unique_ptr<Broker> broker_;
};

Message on(const std::string& topic) {
  Message message;
  message.topic = topic;
  message.payload = "{}";
  return message;
}

// Whether the broker takes a message from this account on this topic.
bool may_write(Peer& peer, const std::string& topic) {
  static std::int64_t tag = 100;
  const std::int64_t mine = ++tag;
  if (!peer.link().publish(on(topic), mine)) return false;
  bool taken = false;
  peer.wait([&](const Peer& it) {
    taken = std::find(it.acked.begin(), it.acked.end(), mine) != it.acked.end();
    return taken || std::any_of(it.refused.begin(), it.refused.end(),
                                [&](const Refused& no) { return no.tag == mine; });
  });
  return taken;
}

class LinkAclTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Broker::installed()) GTEST_SKIP() << "mosquitto is not installed";
  }
};

TEST_F(LinkAclTest, OnTheCentralBrokerEverybodyHasOnlyTheirOwn) {
  const GuardedBroker broker(
      rules_of("central.acl") +
          rules_of("central-tenant.acl.in", {{"TENANT", "demo"}, {"CRM", "crm"}}) +
          box_rules(kBox1) + box_rules(kBox2),
      {"crm", contract::address_text(kBox1), contract::address_text(kBox2), "tablet-1"});
  const std::vector<std::string> everything{"welcome/#"};
  const auto crm_topics = Subscriptions::crm("demo");
  Peer crm(broker.account("crm", {crm_topics.begin(), crm_topics.end()}));
  Peer box(broker.account(contract::address_text(kBox1), everything));
  // The central broker knows the account, but has no rule for it.
  Peer tablet(broker.account("tablet-1", everything));
  for (Peer* peer : {&crm, &box, &tablet}) ASSERT_TRUE(peer->wait_up());

  // The CRM writes to everybody; each hears what is theirs.
  const std::vector<std::string> sent{feed_topic(kBox2, Collection::consents), command_topic(kBox2),
                                      feed_topic(kBox1, Collection::consents), command_topic(kBox1),
                                      control_topic("demo", kAllStores)};
  for (const std::string& topic : sent) EXPECT_TRUE(may_write(crm, topic)) << topic;
  ASSERT_TRUE(box.wait_messages(3));
  std::this_thread::sleep_for(300ms);  // for what must not come
  const auto topics_of = [](Peer& peer) {
    std::set<std::string> topics;
    peer.wait([&](const Peer& it) {
      for (const RawMessage& raw : it.messages) topics.insert(raw.topic);
      return true;
    });
    return topics;
  };
  EXPECT_EQ(topics_of(box), (std::set<std::string>{sent[2], sent[3], sent[4]}));
  EXPECT_TRUE(topics_of(tablet).empty());

  for (const auto& topic :
       {state_topic(kBox1), hello_topic(kBox1), event_topic(kBox1), response_topic(kBox1)}) {
    EXPECT_TRUE(may_write(box, topic)) << topic;
    EXPECT_FALSE(may_write(tablet, topic)) << topic;
  }
  for (const auto& topic :
       {event_topic(kBox2), hello_topic(kBox2), feed_topic(kBox1, Collection::consents),
        command_topic(kBox1), control_topic("demo", "aroma-1")}) {
    EXPECT_FALSE(may_write(box, topic)) << topic;
  }
  // Customers once had topics: nobody has them, not even the CRM.
  for (const char* leaf : {"inbox", "request"}) {
    for (Peer* peer : {&crm, &box, &tablet}) {
      EXPECT_FALSE(may_write(*peer, std::string("welcome/v1/demo/app/7f3a/") + leaf)) << leaf;
    }
  }
  EXPECT_FALSE(may_write(crm, event_topic(kBox1)));
}

// Two companies on one broker, which call their stores and boxes by the same names.
TEST_F(LinkAclTest, TwoCompaniesOnOneBrokerHaveNothingOfEachOther) {
  const BoxAddress other{"other", "aroma-1", "box-1"};
  const GuardedBroker broker(
      rules_of("central.acl") +
          rules_of("central-tenant.acl.in", {{"TENANT", "demo"}, {"CRM", "crm-demo"}}) +
          rules_of("central-tenant.acl.in", {{"TENANT", "other"}, {"CRM", "crm-other"}}) +
          box_rules(kBox1) + box_rules(other),
      {"crm-demo", "crm-other", contract::address_text(kBox1), contract::address_text(other)});
  const std::vector<std::string> everything{"welcome/#"};
  Peer crm(broker.account("crm-demo", everything)),
      box(broker.account(contract::address_text(kBox1), everything));
  Peer their_crm(broker.account("crm-other", everything));
  Peer their_box(broker.account(contract::address_text(other), everything));
  for (Peer* peer : {&crm, &box, &their_crm, &their_box}) ASSERT_TRUE(peer->wait_up());

  for (const auto& topic : {hello_topic(kBox1), event_topic(kBox1), state_topic(kBox1)}) {
    EXPECT_FALSE(may_write(their_box, topic)) << topic;
    EXPECT_TRUE(may_write(box, topic)) << topic;
  }
  for (const auto& topic : {feed_topic(kBox1, Collection::profiles), command_topic(kBox1),
                            control_topic("demo", kAllStores)}) {
    EXPECT_FALSE(may_write(their_crm, topic)) << topic;
    EXPECT_TRUE(may_write(crm, topic)) << topic;
  }
  ASSERT_TRUE(crm.wait_messages(3));
  ASSERT_TRUE(box.wait_messages(3));
  // A word of their own, so that whatever came before it has come.
  EXPECT_TRUE(may_write(their_box, hello_topic(other)));
  EXPECT_TRUE(may_write(their_crm, command_topic(other)));
  ASSERT_TRUE(their_crm.wait_messages(1));
  ASSERT_TRUE(their_box.wait_messages(1));
  EXPECT_EQ(their_crm.messages.front().topic, hello_topic(other));
  EXPECT_EQ(their_box.messages.front().topic, command_topic(other));
}

// The floor broker with a box and a tablet that subscribes to all there is.
struct Floor {
  GuardedBroker broker{rules_of("floor.acl") + rules_of("floor-box.acl.in", {{"BOX", "box-1"}}),
                       {"box-1", "tablet-1"}};
  Peer box{box_config(broker)};
  Peer tablet{broker.account("tablet-1", {"#"})};

  static LinkConfig box_config(const GuardedBroker& broker) {
    const auto topics = Subscriptions::box_floor();
    LinkConfig config = broker.account("box-1", {topics.begin(), topics.end()});
    config.echoed = {Subscriptions::box_floor_echoed()};
    return config;
  }
  bool wait_up() { return box.wait_up() && tablet.wait_up(); }
};

TEST_F(LinkAclTest, OnTheFloorATabletSpeaksAndHearsUnderItsOwnAccountAlone) {
  Floor floor;
  Peer& box = floor.box;
  Peer& tablet = floor.tablet;
  ASSERT_TRUE(floor.wait_up());

  EXPECT_TRUE(may_write(box, prompt_topic("v-1")));
  EXPECT_TRUE(may_write(box, session_topic("tablet-2")));
  EXPECT_TRUE(may_write(box, session_topic("tablet-1")));
  EXPECT_TRUE(may_write(box, floor_status_topic("box-1")));
  EXPECT_TRUE(may_write(box, staff_topic("box-1")));
  EXPECT_TRUE(tablet.wait_messages(4));
  for (const auto& message : tablet.messages) {
    EXPECT_NE(message.topic, session_topic("tablet-2")) << "what another tablet is told";
  }
  EXPECT_TRUE(may_write(tablet, action_topic("tablet-1", "v-1")));
  EXPECT_TRUE(may_write(tablet, enrol_topic("tablet-1", "s-1")));
  EXPECT_TRUE(may_write(tablet, sign_in_topic("tablet-1")));
  EXPECT_TRUE(box.wait_messages(3));
  EXPECT_FALSE(may_write(tablet, action_topic("tablet-2", "v-1")));
  EXPECT_FALSE(may_write(tablet, sign_in_topic("tablet-2")));
  EXPECT_FALSE(may_write(tablet, session_topic("tablet-1"))) << "who is signed in, boxes say";
  EXPECT_FALSE(may_write(tablet, staff_topic("box-1")));
  EXPECT_FALSE(may_write(box, sign_in_topic("tablet-1")));
  EXPECT_FALSE(may_write(tablet, prompt_topic("v-1")));
  EXPECT_FALSE(may_write(tablet, floor_status_topic("box-1")));
  EXPECT_FALSE(may_write(box, floor_status_topic("box-2")));
  EXPECT_FALSE(may_write(tablet, command_topic(kBox1)));
}

TEST_F(LinkAclTest, OnTheFloorABoxSpeaksOfRangingInItsOwnNameAndNoTabletReadsIt) {
  Floor floor;
  Peer& box = floor.box;
  Peer& tablet = floor.tablet;
  ASSERT_TRUE(floor.wait_up());
  EXPECT_TRUE(may_write(box, ranging_topic("box-1")));
  EXPECT_FALSE(may_write(box, ranging_topic("box-2")));
  EXPECT_FALSE(may_write(tablet, ranging_topic("tablet-1")));
  EXPECT_FALSE(may_write(tablet, ranging_topic("box-1")));
  // The tablet gets the prompt that follows, and only that.
  EXPECT_TRUE(may_write(box, prompt_topic("v-1")));
  EXPECT_TRUE(tablet.wait_messages(1));
  ASSERT_EQ(tablet.messages.size(), 1U);
  EXPECT_EQ(tablet.messages[0].topic, prompt_topic("v-1"));
}

TEST_F(LinkAclTest, OnTheFloorABoxHearsItsOwnOffersInOrderAndNothingElseOfItsOwn) {
  Floor floor;
  Peer& box = floor.box;
  ASSERT_TRUE(floor.wait_up());
  EXPECT_TRUE(may_write(box, ranging_topic("box-1")));
  EXPECT_TRUE(may_write(box, offer_topic("d-1")));
  EXPECT_TRUE(may_write(box, offer_topic("d-2")));
  ASSERT_TRUE(box.wait_messages(2));
  EXPECT_EQ(box.messages[0].topic, offer_topic("d-1"));
  EXPECT_EQ(box.messages[1].topic, offer_topic("d-2"));
}

}  // namespace
}  // namespace welcome::sync
