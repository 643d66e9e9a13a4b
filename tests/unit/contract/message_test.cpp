// SPDX-License-Identifier: Apache-2.0
#include "contract/message.h"

#include <gtest/gtest.h>
#include <set>

#include "contract/topics.h"
#include "tests/unit/contract/box.h"

namespace welcome::contract {
namespace {

using namespace std::chrono;

TEST(Rfc3339, WritesUtcWithMilliseconds) {
  const WallTime time = sys_days{2026y / 5 / 4} + 8h + 15min + 30s + 250ms;
  EXPECT_EQ(to_rfc3339(time), "2026-05-04T08:15:30.250Z");
  EXPECT_EQ(to_rfc3339(sys_days{1969y / 12 / 31} + 23h + 59min + 59s + 1ms),
            "1969-12-31T23:59:59.001Z");
}

TEST(Rfc3339, ReadsWhatItWroteAndOtherFractions) {
  const WallTime time = sys_days{2024y / 2 / 29} + 1h + 2min + 3s + 4ms;
  EXPECT_EQ(from_rfc3339(to_rfc3339(time)), time);
  EXPECT_EQ(from_rfc3339("2024-02-29T01:02:03.0049Z"), time);
  EXPECT_EQ(from_rfc3339("2024-02-29T01:02:03Z"), time - 4ms);
}

TEST(Rfc3339, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", "2026-05-04", "2026-05-04T08:15:30", "2026-05-04T08:15:30+02:00",
        "2026-13-04T08:15:30Z", "2026-02-29T08:15:30Z", "2026-05-04T24:00:00Z",
        "2026-05-04T08:60:00Z", "2026-05-04T08:15:30.Z", "2026-05-04T08:15:30.1234567890Z",
        "2026-05-04t08:15:30Z", "2026-05-04T08:15:-1Z", "2026-05-04T08:15:30,5Z"}) {
    EXPECT_FALSE(from_rfc3339(text)) << text;
  }
}

TEST(Uuid, IsRandomVersionFour) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = new_uuid();
    ASSERT_EQ(id.size(), 36U);
    EXPECT_EQ(id[14], '4');
    EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos);
    EXPECT_TRUE(seen.insert(id).second);
  }
}

TEST(Topics, AreTakenApartAsTheyWereMade) {
  const auto feed = parse_topic(feed_topic(kBox, Collection::consents));
  ASSERT_TRUE(feed);
  EXPECT_EQ(feed->kind, TopicKind::feed);
  EXPECT_EQ(feed->address, kBox);
  EXPECT_EQ(feed->leaf, "consents");

  EXPECT_EQ(parse_topic(state_topic(kBox))->kind, TopicKind::state);
  EXPECT_EQ(parse_topic(hello_topic(kBox))->kind, TopicKind::hello);
  EXPECT_EQ(parse_topic(event_topic(kBox))->kind, TopicKind::event);
  EXPECT_EQ(parse_topic(command_topic(kBox))->kind, TopicKind::command);
  EXPECT_EQ(parse_topic(response_topic(kBox))->kind, TopicKind::response);
  EXPECT_EQ(parse_topic(lookup_topic(kBox))->kind, TopicKind::lookup);
  EXPECT_EQ(parse_topic(found_topic(kBox))->kind, TopicKind::found);
  const auto control = parse_topic(control_topic("demo", kAllStores));
  EXPECT_EQ(control->kind, TopicKind::control);
  EXPECT_EQ(control->address.store, "_all");
  EXPECT_EQ(parse_topic(prompt_topic("v-1"))->kind, TopicKind::prompt);
  const auto action = parse_topic(action_topic("tablet-1", "v-1"));
  EXPECT_EQ(action->kind, TopicKind::action);
  EXPECT_EQ(action->tablet, "tablet-1");
  EXPECT_EQ(action->leaf, "v-1");
  EXPECT_EQ(parse_topic(enrol_topic("t", "s-1"))->kind, TopicKind::enrol);
  EXPECT_EQ(parse_topic(to_enrol_topic("t", "s-1"))->kind, TopicKind::to_enrol);
  EXPECT_EQ(parse_topic(sign_in_topic("t"))->kind, TopicKind::sign_in);
  EXPECT_EQ(parse_topic(session_topic("t"))->kind, TopicKind::session);
  EXPECT_EQ(parse_topic(refused_topic("t"))->kind, TopicKind::refused);
  EXPECT_EQ(parse_topic(staff_topic("box-1"))->kind, TopicKind::floor_staff);
  EXPECT_EQ(parse_topic(floor_status_topic("box-1"))->kind, TopicKind::floor_status);
  EXPECT_EQ(parse_topic(ranging_topic("box-1"))->kind, TopicKind::ranging);
  EXPECT_EQ(parse_topic(ranging_topic("box-1"))->leaf, "box-1");
}

TEST(Topics, OutsideTheContractAreRefused) {
  for (const char* topic : {"",
                            "welcome/v1",
                            "welcome/v2/demo/aroma-1/box-1/event",
                            "welcome/v1/demo/aroma-1/box-1",
                            "welcome/v1/demo/aroma-1/box-1/other",
                            "welcome/v1/demo/aroma-1/box-1/feed",
                            "welcome/v1/demo/aroma-1/box-1/feed/a/b",
                            "welcome/v1/demo//box-1/event",
                            "welcome/v1/demo/+/box-1/event",
                            "welcome/v1/demo/aroma-1/box-1/#",
                            "welcome/v1/floor/action/v",
                            "welcome/v1/floor/enrol/s",
                            "welcome/v1/floor/tablet/t/refused",
                            "welcome/v1/floor/to/t/action/v",
                            "welcome/v1/floor/to/t",
                            "welcome/v1/floor/prompt",
                            "welcome/v1/floor/prompt/a/b",
                            "$SYS/broker/version",
                            "welcome/v1/demo/app/x/outbox",
                            "welcome/v1/demo/app/x/inbox",
                            "welcome/v1/demo/app/x/request"}) {
    EXPECT_FALSE(parse_topic(topic)) << topic;
  }
}

TEST(Topics, ALevelHoldsNoWildcardNoSlashNoControlCharacter) {
  EXPECT_TRUE(valid_level("box-1"));
  EXPECT_TRUE(valid_level("Café"));
  for (const char* level : {"", "a/b", "+", "a#", "$SYS", "a\n"}) EXPECT_FALSE(valid_level(level));
  EXPECT_FALSE(valid_level(std::string(65, 'a')));
  EXPECT_FALSE(valid_level(std::string("a\0b", 3)));
}

TEST(Message, ContentTypeFollowsTheTopic) {
  EXPECT_EQ(content_type_of(event_topic(kBox)), "application/cloudevents+json");
  EXPECT_EQ(content_type_of(hello_topic(kBox)), "application/json");
}

}  // namespace
}  // namespace welcome::contract
