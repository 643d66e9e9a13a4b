// SPDX-License-Identifier: Apache-2.0
#include "firmware/recording/format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "firmware/recording/cards.h"

namespace welcome::recording {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

const Now kNow{MonoTime{5s}, WallTime{1'700'000'000'123ms}, false};

Head full_head() {
  Head head;
  head.box = "box-1";
  head.at = kNow;
  head.settings.encounter_timeout = 1234ms;
  head.settings.face = {0.1, 0.2, 0.3, 0.4};
  head.settings.prompt_zone = Zone::desk;
  head.settings.consent_max_age = 7h;
  head.settings.shared_store = true;
  head.heard = WallTime{42ms};
  head.policy = ItemText{R"({"time_zone":"UTC"})"};
  head.campaigns = {{R"({"campaign":"k"})"}};
  head.paused = {Function::offers, Function::prompts};
  head.rows = {{StateRow::Kind::visit, "v-1", 3, "{}"}, {StateRow::Kind::store, "caps", {}, "x"}};
  return head;
}

std::vector<Happened> one_of_each() {
  const WallTime at{99ms};
  return {
      happened::Claim{1, ClaimSource::static_beacon, Zone::desk, Zone::door, 0.1 + 0.2, 1ULL << 60,
                      true},
      happened::Staff{"a-1", VisitId("v"), "staff-7", StaffAction::Kind::note, true, false, at,
                      Sealed{"xyz"}},
      happened::CampaignPut{{R"({"campaign":"k"})"}},
      happened::CampaignGone{CampaignId("k")},
      happened::PolicyPut{ItemText{"{}"}},
      happened::ConsentsChanged{{{4, {Purpose::face_recognition, at, {}, at}}}},
      happened::ConsentGone{5, Purpose::visit_analytics,
                            Consent{Purpose::visit_analytics, at, {}, at}},
      happened::Forgotten{6},
      happened::Heard{at},
      happened::Paused{Function::face, true},
      happened::ProfileChanged{7, {"sealed"}},
      happened::Sent{DecisionId("d")},
      happened::Expired{DecisionId("d")},
      happened::Elsewhere{8, DecisionId("d"), CampaignId("k"), "a", at},
      happened::Told{DecisionId("d"), ~0ULL, CampaignId("k"), at, at, true, false, true},
      happened::TakenBack{DecisionId("d")},
      happened::CameOf{9, {}, Outcome::purchase, "espresso", 3.5, at},
      happened::Tick{},
  };
}

Line decoded(const std::string& text) {
  auto line = decode_line(text);
  EXPECT_TRUE(line) << text << line.error().message;
  return line ? *line : Line{};
}

TEST(RecordingFormat, EveryLineComesBackAsItWasWritten) {
  std::vector<Line> lines{full_head(), Head{}, Card{3, "aa", {"bb"}}};
  for (const auto& what : one_of_each()) {
    lines.emplace_back(Moment{kNow, what, {}, {}});
  }
  lines.emplace_back(Moment{{MonoTime{1us}, WallTime{2ms}, true},
                            happened::Tick{},
                            {{1, VisitId("v-1")}},
                            {{DecisionId("d"), DecisionKind::survey, Reason::quiet_hours, 2,
                              CampaignId("k"), "b", "nps"}}});
  for (const Line& line : lines) {
    const std::string text = encode(line);
    EXPECT_EQ(text.back(), '\n');
    const Line back = decoded(text);
    EXPECT_EQ(back.index(), line.index()) << text;
    EXPECT_EQ(encode(back), text);
  }
  EXPECT_EQ(one_of_each().size(), std::variant_size_v<Happened>) << "an event is left out here";
}

TEST(RecordingFormat, FieldsMeanOnTheWayBackWhatTheyMeantOnTheWayOut) {
  const auto head = std::get<Head>(decoded(encode(full_head())));
  EXPECT_EQ(head.at.mono, kNow.mono);
  EXPECT_EQ(head.at.wall, kNow.wall);
  EXPECT_FALSE(head.at.wall_trusted);
  EXPECT_EQ(head.settings.encounter_timeout, 1234ms);
  EXPECT_EQ(head.settings.face.genuine_sd, 0.4);
  EXPECT_EQ(head.settings.consent_max_age, 7h);
  EXPECT_EQ(head.rows[0].who, 3);
  EXPECT_EQ(head.rows[1].kind, StateRow::Kind::store);
  const auto moment = std::get<Moment>(decoded(encode(Moment{kNow, one_of_each()[0], {}, {}})));
  const auto& claim = std::get<happened::Claim>(moment.what);
  EXPECT_EQ(claim.source, ClaimSource::static_beacon);
  EXPECT_EQ(claim.settled, Zone::door);
  EXPECT_EQ(claim.similarity, 0.1 + 0.2);
  EXPECT_EQ(claim.track, 1ULL << 60);
  EXPECT_TRUE(claim.doubted);
  // Words, not numbers: an enum that grows in the middle does not change the meaning of a file.
  EXPECT_THAT(encode(Moment{kNow, one_of_each()[0], {}, {}}), HasSubstr("\"static_beacon\""));
}

TEST(RecordingFormat, CardsComeBackAndOpenWithTheirKeyAlone) {
  KnownProfile profile;
  profile.language = "de";
  profile.points = 7;
  profile.tags = {"early"};
  profile.named = true;
  profile.preferences = {{"drink", "tea", 0.8, 2, WallTime{5ms}, "staff"}};
  const CardFace face{
      77, {{Purpose::face_recognition, WallTime{1ms}, {}, {}}}, profile, ItemText{"{}"}};
  const CardKey key = new_card_key();
  const Sealed sealed = seal(key, encode(face));
  EXPECT_FALSE(open(new_card_key(), sealed));
  EXPECT_FALSE(open(key, {"!"}));
  const auto plain = open(key, sealed);
  ASSERT_TRUE(plain);
  const auto back = decode_card_face(*plain);
  ASSERT_TRUE(back);
  EXPECT_EQ(encode(*back), encode(face));
  EXPECT_EQ(back->profile->preferences[0].confirmed, 2);
  EXPECT_EQ(decode_said_preference(encode(SaidPreference{"drink", "tea"}))->value, "tea");
  EXPECT_FALSE(decode_known_profile("null")->has_value());

  const auto stored = decode_stored_key(key.id, encode(StoredKey{key, "2026-05-04"}));
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->key.secret, key.secret);
  EXPECT_EQ(stored->day, "2026-05-04");
  EXPECT_FALSE(decode_stored_key("aa", R"({"key":7})"));
}

TEST(RecordingFormat, AnotherVersionIsRefusedAndNonsenseIsMalformed) {
  std::string head = encode(full_head());
  const std::string ours = "\"recording\":" + std::to_string(kFormatVersion);
  head.replace(head.find(ours), ours.size(), "\"recording\":1");
  const auto older = decode_line(head);
  ASSERT_FALSE(older);
  EXPECT_EQ(older.error().code, ErrorCode::refused);
  EXPECT_THAT(older.error().message, HasSubstr("an older welcomed, in format 1"));
  for (const char* nonsense : {"", "{", "[]", "7", "{}", R"({"tick":{}})",
                               R"({"dance":{},"t":1,"w":1})", R"({"claim":[1,"face"],"t":1,"w":1})",
                               R"({"claim":[1,"ear","desk","desk",1,1],"t":1,"w":1})",
                               R"({"who":"x","key":"a","card":"b"})", R"({"recording":"2"})",
                               R"({"tick":[],"t":1e30,"w":1})", R"({"tick":[],"t":1,"w":1.5})"}) {
    const auto line = decode_line(nonsense);
    ASSERT_FALSE(line) << nonsense;
    EXPECT_EQ(line.error().code, ErrorCode::malformed) << nonsense;
  }
  const auto bare = decode_line("{" + ours + "}");
  ASSERT_FALSE(bare);
  EXPECT_EQ(bare.error().code, ErrorCode::malformed) << "a head of ours without its fields";
}

}  // namespace
}  // namespace welcome::recording
