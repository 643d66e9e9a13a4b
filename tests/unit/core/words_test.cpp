// SPDX-License-Identifier: Apache-2.0
// Texts, campaigns from outside, and the store's clock.

#include <cstdlib>
#include <ctime>

#include "core/store_clock.h"
#include "core/text.h"
#include "tests/unit/core/shop.h"

namespace welcome {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string rendered(const std::string& source, const TextValues& values) {
  const auto t = TextTemplate::parse(source);
  if (!t) return "refused: " + t.error().message;
  const auto out = t->render(values);
  return out ? *out : "missing: " + out.error().message;
}

TEST(Text, fills_in_values_and_takes_sections_by_their_presence) {
  const std::string hello =
      "{{#greeting}}Hello {{greeting}}{{/greeting}}{{^greeting}}Hello{{/greeting}}!";
  EXPECT_EQ(rendered(hello, {{"greeting", "Ms Berg"}}), "Hello Ms Berg!");
  EXPECT_EQ(rendered(hello, {}), "Hello!");
  EXPECT_EQ(rendered("{{preference.drink}}?", {{"preference.drink", "Tea"}}), "Tea?");
}

TEST(Text, reports_a_value_that_is_missing) {
  EXPECT_EQ(rendered("Hello {{greeting}}", {}), "missing: no value for greeting");
  EXPECT_EQ(rendered("Hello {{greeting}}", {{"greeting", ""}}), "missing: no value for greeting");
}

TEST(Text, keeps_values_as_the_text_they_are) {
  EXPECT_EQ(rendered("Hi {{name}}", {{"name", "<b>O'Neil & Co</b>"}}), "Hi <b>O'Neil & Co</b>");
  EXPECT_EQ(rendered("Hi {{name}}", {{"name", "{{code}}"}, {"code", "FREE"}}), "Hi {{code}}");
  EXPECT_EQ(rendered("Hi {{name}}", {{"name",
                                      "a\n\x1b[2J\xE2\x80\xAE"
                                      "b"}}),
            "Hi a  [2Jb");
}

TEST(Text, cuts_long_values_between_characters) {
  EXPECT_EQ(plain_text("a\xC3\xA9", 2), "a");
  EXPECT_EQ(plain_text(std::string(500, 'x')).size(), 200U);
}

TEST(Text, refuses_what_a_campaign_has_no_use_for) {
  for (const char* bad :
       {"{{{name}}}", "{{&name}}", "{{>file}}", "{{=<% %>=}}", "{{name", "{{}}", "{{#a}}", "{{/a}}",
        "{{#a}}{{/b}}", "{{Name}}", "{{a b}}", "{{! note}}"}) {
    EXPECT_THAT(rendered(bad, {}), testing::StartsWith("refused: text: ")) << bad;
  }
  std::string deep;
  for (int i = 0; i < 9; ++i) deep += "{{#a}}";
  for (int i = 0; i < 9; ++i) deep += "{{/a}}";
  EXPECT_THAT(rendered(deep, {}), HasSubstr("too deep"));
  EXPECT_THAT(rendered(std::string(4001, 'x'), {}), HasSubstr("longer"));
}

// ---- hostile campaigns: refused with the reason, the last good set stays

std::string refusal(const Campaign& c) {
  const auto ok = validate(c);
  return ok ? "accepted" : ok.error().message;
}

TEST(Validate, accepts_a_plain_campaign) { EXPECT_EQ(refusal(campaign("k")), "accepted"); }

TEST(Validate, says_what_is_wrong_and_where) {
  const auto broken = [](auto&& change) {
    Campaign c = campaign("k");
    change(c);
    return refusal(c);
  };
  EXPECT_THAT(broken([](auto& c) { c.cap.per_customer = -1; }), HasSubstr("cap: per_customer"));
  EXPECT_THAT(broken([](auto& c) { c.budget = -5; }), HasSubstr("budget"));
  EXPECT_THAT(broken([](auto& c) { c.holdout_percent = 101; }), HasSubstr("holdout_percent"));
  EXPECT_THAT(broken([](auto& c) { c.holdout_percent = std::nan(""); }), HasSubstr("holdout"));
  EXPECT_THAT(broken([](auto& c) { c.trigger.dwell = -1s; }), HasSubstr("dwell_ms"));
  EXPECT_THAT(broken([](auto& c) { c.expires = 0s; }), HasSubstr("expires_s"));
  EXPECT_THAT(broken([](auto& c) { c.priority = 1 << 30; }), HasSubstr("priority"));
  EXPECT_THAT(broken([](auto& c) { c.variants.clear(); }), HasSubstr("variants: none"));
  EXPECT_THAT(broken([](auto& c) { c.variants.resize(21, c.variants[0]); }), HasSubstr("20"));
  EXPECT_THAT(broken([](auto& c) { c.variants.push_back(c.variants[0]); }), HasSubstr("twice"));
  EXPECT_THAT(broken([](auto& c) { c.variants[0].weight = 0; }), HasSubstr("all weights are 0"));
  EXPECT_THAT(broken([](auto& c) { c.variants[0].weight = -1; }), HasSubstr("weight"));
  EXPECT_THAT(broken([](auto& c) { c.variants[0].text["en"] = "{{secret}}"; }),
              HasSubstr("no value \"secret\""));
  EXPECT_THAT(broken([](auto& c) { c.variants[0].text["en"] = "{{>/etc/passwd}}"; }),
              HasSubstr("only {{name}}"));
  EXPECT_THAT(broken([](auto& c) {
                c.audience.all = {{"gender", {}, {"f"}, 0}};
              }),
              HasSubstr("not a field"));
  EXPECT_THAT(broken([](auto& c) {
                c.audience.all = {{"tier", Condition::Op::at_least, {}, 1}};
              }),
              HasSubstr("is a word"));
  EXPECT_THAT(broken([](auto& c) {
                c.audience.any.resize(51, {"tier", {}, {"x"}, 0});
              }),
              HasSubstr("more than 50"));
  EXPECT_THAT(broken([](auto& c) {
                c.audience.any = {{"tier", {}, std::vector<std::string>(201, "x"), 0}};
              }),
              HasSubstr("more than 200"));
  EXPECT_THAT(broken([](auto& c) {
                c.schedule.from = kOpening;
                c.schedule.until = kOpening;
              }),
              HasSubstr("ends before it begins"));
  EXPECT_THAT(broken([](auto& c) { c.schedule.days = {}; }), HasSubstr("no weekday"));
  EXPECT_THAT(broken([](auto& c) { c.schedule.hours = {{8h, 8h}}; }), HasSubstr("the same"));
  EXPECT_THAT(broken([](auto& c) { c.schedule.hours = {{8h, 25h}}; }), HasSubstr("24:00"));
}

TEST(Validate, a_refused_campaign_leaves_the_last_good_one_in_place) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  shop.use({campaign("k-espresso")});
  Campaign bad = campaign("k-espresso");
  bad.cap.per_customer = 0;
  const Effects e = shop.use({bad, campaign("k-new", TriggerOn::enter)});
  EXPECT_THAT(e.refused, ElementsAre(HasSubstr("campaign k-espresso: cap")));
  EXPECT_EQ(shop.pipeline->campaigns(), 2U);
  EXPECT_THAT(offer_reasons(shop.stay(paul, Zone::street, 6s)), ElementsAre(Reason::made));
}

TEST(Validate, a_refused_policy_leaves_the_last_good_one_in_place) {
  Shop shop;
  Policy p;
  p.time_zone = "Middle/Earth";
  EXPECT_THAT(shop.use(p).refused, ElementsAre(HasSubstr("time_zone")));
  p.time_zone = "../../etc/passwd";
  EXPECT_THAT(shop.use(p).refused, SizeIs(1));
  EXPECT_EQ(shop.pipeline->policy().time_zone, "UTC");
}

TEST(Validate, protected_attributes_are_neither_learnt_from_nor_targeted) {
  Shop shop;
  Policy p;
  p.protected_attributes = {"over-65", "language"};
  p.learn_segments = {"regular", "over-65"};
  EXPECT_THAT(shop.use(p).refused, ElementsAre(HasSubstr("protected")));
  p.learn_segments = {"regular"};
  EXPECT_THAT(shop.use(p).refused, IsEmpty());
  Campaign c = campaign("k");
  c.audience.none = {{"segments", Condition::Op::has, {"over-65"}, 0}};
  EXPECT_THAT(shop.use({c}).refused, ElementsAre(HasSubstr("protected")));
  c.audience.none = {{"language", Condition::Op::in, {"tr"}, 0}};
  EXPECT_THAT(shop.use({c}).refused, ElementsAre(HasSubstr("protected")));
}

// ---- the store's clock, against the C library's own reading of the tz database

class Zones : public testing::TestWithParam<const char*> {
 protected:
  std::tm libc(WallTime t) {
    setenv("TZ", GetParam(), 1);
    tzset();
    const std::time_t seconds =
        std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count();
    std::tm tm{};
    localtime_r(&seconds, &tm);
    unsetenv("TZ");
    tzset();
    return tm;
  }
};

TEST_P(Zones, tell_the_time_as_the_c_library_does_all_year) {
  const auto clock = StoreClock::open(GetParam());
  ASSERT_TRUE(clock);
  WallTime t = std::chrono::sys_days{std::chrono::year{2026} / 1 / 1};
  for (; t < std::chrono::sys_days{std::chrono::year{2027} / 1 / 1}; t += 1733s) {
    const auto local = clock->local(t);
    const std::tm tm = libc(t);
    const std::chrono::year_month_day ymd{local.day};
    ASSERT_EQ(local.time.count(), tm.tm_hour * 60 + tm.tm_min) << utc_text(t);
    ASSERT_EQ(static_cast<unsigned>(ymd.day()), static_cast<unsigned>(tm.tm_mday)) << utc_text(t);
    ASSERT_EQ((local.weekday + 1) % 7, static_cast<unsigned>(tm.tm_wday)) << utc_text(t);
  }
}

TEST_P(Zones, quiet_hours_end_outside_of_themselves_and_not_too_late) {
  const auto clock = StoreClock::open(GetParam());
  ASSERT_TRUE(clock);
  for (const DayHours hours : {DayHours{21h, 8h}, DayHours{22h, 2h + 30min}, DayHours{1h, 3h}}) {
    WallTime t = std::chrono::sys_days{std::chrono::year{2026} / 1 / 1};
    for (; t < std::chrono::sys_days{std::chrono::year{2027} / 1 / 1}; t += 1733s) {
      const WallTime end = clock->end_of(hours, t);
      const std::tm tm = libc(end);
      ASSERT_FALSE(within(hours, std::chrono::minutes{tm.tm_hour * 60 + tm.tm_min}))
          << utc_text(t) << " to " << utc_text(end);
      ASSERT_LE(end - t, 13h);
      ASSERT_GE(end, t);
    }
  }
}

// Summer time by an hour in the north, by half an hour in the south, and an old friend.
INSTANTIATE_TEST_SUITE_P(StoreClock, Zones,
                         testing::Values("Europe/Berlin", "America/New_York",
                                         "Australia/Lord_Howe"));

}  // namespace
}  // namespace welcome
