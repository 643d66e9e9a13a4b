// SPDX-License-Identifier: Apache-2.0
// What must hold whatever happens: caps, quiet hours, assignment, hold-out, replay.

#include <ctime>
#include <deque>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <rapidcheck/gtest.h>
#include <set>

#include "core/facts.h"
#include "core/offers.h"
#include "core/store_clock.h"
#include "tests/unit/core/shop.h"

namespace welcome {
namespace {

using namespace test;

// A few days of people coming by, of messages that leave, wait or get lost, and of restarts.
struct RandomDays {
  struct Sent {
    CustomerId customer;
    CampaignId campaign;
    WallTime at;
  };

  explicit RandomDays(const Policy& p) : policy(p) {
    shop.use(policy);
    std::vector<Campaign> campaigns;
    for (const char* id : {"k-a", "k-b", "k-c"}) {
      Campaign c = campaign(id);
      c.cap.per_customer = 2;
      c.cap.per = *rc::gen::element(Period::day, Period::week);
      c.trigger.on = *rc::gen::element(TriggerOn::pass_by, TriggerOn::enter);
      c.expires = std::chrono::seconds{*rc::gen::element(60, 7200)};
      campaigns.push_back(c);
    }
    shop.use(campaigns);
    for (const char* id : {"c-1", "c-2"}) people.push_back(shop.member(id));
  }

  void note(const Effects& e) {
    for (const auto& d : offers(e)) {
      decided.push_back(d);
      if (d.made()) waiting.push_back(d);
    }
  }

  void step() {
    const CustomerId& who = people[*rc::gen::inRange<std::size_t>(0, people.size())];
    switch (*rc::gen::inRange(0, 8)) {
      case 0:
      case 1:
        note(shop.stay(who, Zone::street, 6s));
        break;
      case 2:
        note(shop.stay(who, Zone::inside, 3s));
        break;
      case 3:
        note(shop.leave(who));
        break;
      case 4:
      case 5:
        if (!waiting.empty()) resolve(*rc::gen::inRange<std::size_t>(0, waiting.size()));
        break;
      case 6:
        note(shop.wait(std::chrono::minutes{*rc::gen::inRange(1, 900)}));
        shop.hear_crm();
        break;
      case 7:
        shop.restart();
        break;
    }
  }

  void resolve(std::size_t i) {
    const Decision d = waiting[i];
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(i));
    // The daemon drops what has expired; everything else may be sent, and acknowledged twice.
    if (shop.wall >= d.expires_at || *rc::gen::inRange(0, 4) == 0) {
      shop.handle(event::DecisionExpired{d.id});
      return;
    }
    shop.sent(d);
    shop.sent(d);
    sent.push_back({d.customer, d.campaign, shop.wall});
  }

  Policy policy;
  Shop shop;
  std::vector<CustomerId> people;
  std::vector<Decision> decided;
  std::vector<Decision> waiting;
  std::vector<Sent> sent;
};

RC_GTEST_PROP(Properties, no_cap_is_ever_exceeded, ()) {
  Policy p;
  p.time_zone = *rc::gen::element<std::string>("UTC", "Europe/Berlin", "America/New_York");
  p.fatigue_after = 0;
  p.caps.per_customer_day = *rc::gen::inRange(1, 4);
  p.caps.per_customer_week = *rc::gen::inRange(1, 6);
  p.caps.min_gap = std::chrono::seconds{*rc::gen::element(0, 60, 3600)};
  p.caps.per_store_day = *rc::gen::inRange(1, 5);
  RandomDays days(p);
  const int steps = *rc::gen::inRange(1, 60);
  for (int i = 0; i < steps; ++i) days.step();

  const auto clock = *StoreClock::open(p.time_zone);
  for (const auto& a : days.sent) {
    const auto day = clock.local(a.at).day;
    int on_day = 0, in_week = 0, of_store = 0, of_campaign = 0;
    const auto& campaigns = days.shop.campaigns;
    const auto k = std::find_if(campaigns.begin(), campaigns.end(),
                                [&](const Campaign& c) { return c.id == a.campaign; });
    const int campaign_days = k->cap.per == Period::day ? 1 : 7;
    for (const auto& b : days.sent) {
      const auto other = clock.local(b.at).day;
      of_store += other == day;
      if (b.customer != a.customer) continue;
      on_day += other == day;
      in_week += other <= day && day - other < std::chrono::days{7};
      of_campaign += b.campaign == a.campaign && other <= day &&
                     day - other < std::chrono::days{campaign_days};
      if (&a != &b) RC_ASSERT(std::chrono::abs(a.at - b.at) >= p.caps.min_gap);
    }
    RC_ASSERT(on_day <= *p.caps.per_customer_day);
    RC_ASSERT(in_week <= *p.caps.per_customer_week);
    RC_ASSERT(of_store <= *p.caps.per_store_day);
    RC_ASSERT(of_campaign <= k->cap.per_customer);
  }
}

RC_GTEST_PROP(Properties, the_same_events_give_the_same_effects, ()) {
  struct Recorded {
    Event event;
    Now now;
  };
  std::vector<Recorded> recorded;
  std::vector<std::string> heard_before;
  const auto signature = [](const Effects& e) {
    std::string s;
    for (const auto& d : e.decisions) {
      s += d.id.str() + "|" + std::string(to_string(d.reason)) + "|" + d.variant + "|" + d.text;
      for (const auto& step : d.steps) s += "|" + step.rule + "=" + step.detail;
    }
    for (const auto& v : e.visits) s += "|" + std::string(to_string(v.kind)) + v.visit.str();
    for (const auto& r : e.rows) s += "|" + r.key + "=" + r.value.value_or("-");
    if (e.wake_at) s += "|" + std::to_string(e.wake_at->time_since_epoch().count());
    return s;
  };

  Shop shop;
  std::vector<std::string> first;
  const auto play = [&](Shop& on, const Event& event) { return signature(on.handle(event)); };
  std::vector<CustomerId> people{shop.member("c-1"), shop.member("c-2")};
  Campaign c = campaign("k-a");
  c.choice = VariantChoice::learn;
  c.variants.push_back(c.variants[0]);
  c.variants[1].id = "b";
  shop.use({c, campaign("k-b", TriggerOn::enter)});
  const int steps = *rc::gen::inRange(1, 80);
  for (int i = 0; i < steps; ++i) {
    shop.step_time(std::chrono::seconds{*rc::gen::inRange(0, 5)});
    IdentityClaim claim;
    claim.customer = people[*rc::gen::inRange<std::size_t>(0, 2)];
    claim.source = *rc::gen::element(ClaimSource::eddystone_eid, ClaimSource::face);
    claim.fast = claim.settled =
        *rc::gen::element(Zone::away, Zone::street, Zone::door, Zone::desk);
    claim.similarity = 0.6;
    recorded.push_back({event::Claim{claim}, shop.now()});
    first.push_back(play(shop, recorded.back().event));
  }

  Shop again;
  again.member("c-1");
  again.member("c-2");
  again.use({c, campaign("k-b", TriggerOn::enter)});
  for (std::size_t i = 0; i < recorded.size(); ++i) {
    again.mono = recorded[i].now.mono.time_since_epoch();
    again.wall = recorded[i].now.wall;
    RC_ASSERT(play(again, recorded[i].event) == first[i]);
  }
}

// Three boxes of one store, their tablets' broker, and lines that come and go.
class SharedStore {
 public:
  explicit SharedStore(const Policy& policy) : policy_(policy) {
    PipelineSettings settings;
    settings.shared_store = true;
    for (std::size_t i = 0; i < 3; ++i) {
      boxes_.push_back(std::make_unique<Box>(settings));
      Box& b = *boxes_.back();
      b.shop.ids.prefix = "box-" + std::to_string(i) + "-";
      b.shop.use(policy_);
      std::vector<Campaign> campaigns{campaign("k-a"), campaign("k-b", TriggerOn::enter)};
      for (Campaign& c : campaigns) {
        c.cap.per_customer = 2;
        c.expires = std::chrono::seconds{600};
      }
      b.shop.use(campaigns);
      for (const char* id : {"c-1", "c-2", "c-3"}) b.shop.member(id);
    }
  }

  void step() {
    const auto i = *rc::gen::inRange<std::size_t>(0, boxes_.size());
    Box& b = *boxes_[i];
    const CustomerId who("c-" + std::to_string(*rc::gen::inRange(1, 4)));
    switch (*rc::gen::inRange(0, 12)) {
      case 0:
      case 1:
      case 2:
        return note(i, b.shop.stay(who, Zone::street, 6s));
      case 3:
      case 4:
        return note(i, b.shop.stay(who, Zone::inside, 3s));
      case 5:
        return note(i, b.shop.leave(who));
      case 6:
        b.connected = false;
        b.inbox.clear();
        return;
      case 7:
        return connect(i);
      case 8:
        return restart(i);
      case 9:
        return pass(std::chrono::hours{*rc::gen::inRange(1, 20)});
      default:
        return deliver(i);
    }
  }

  void everything_arrives() {
    for (int round = 0; round < 20; ++round) {
      for (std::size_t i = 0; i < boxes_.size(); ++i) {
        connect(i);
        for (int n = 0; n < 50; ++n) deliver(i);
      }
    }
  }

  struct Sent {
    CustomerId customer;
    CampaignId campaign;
    WallTime at;
  };
  std::vector<Sent> sent;

 private:
  struct Word {
    std::size_t box;
    DecisionId decision;
    std::optional<StoreOffer> offer;
    bool kept = false;
  };
  struct Box {
    explicit Box(PipelineSettings s) : shop(s) {}
    Shop shop;
    bool connected = true;
    std::deque<Word> inbox;    // from the broker
    std::vector<Word> outbox;  // for it
    std::map<DecisionId, Decision> held;
  };

  // All boxes have one clock.
  void note(std::size_t i, const Effects& e) {
    const WallTime now = boxes_[i]->shop.wall;
    for (auto& b : boxes_) {
      if (b->shop.wall < now) b->shop.step_time(now - b->shop.wall);
    }
    take(i, e);
  }

  void take(std::size_t i, const Effects& e) {
    Box& b = *boxes_[i];
    for (const auto& d : offers(e)) {
      if (d.made()) {
        RC_ASSERT(d.waits_for_store);
        b.held[d.id] = d;
      }
    }
    for (const auto& offer : e.tell_store) b.outbox.push_back({i, offer.decision, offer});
    for (const auto& id : e.untell_store) b.outbox.push_back({i, id, std::nullopt});
    for (const auto& id : e.withdrawn_decisions) b.held.erase(id);
    for (const auto& [id, not_before] : e.let_go) {
      const auto held = b.held.find(id);
      if (held == b.held.end()) continue;
      const Decision d = held->second;
      b.held.erase(held);
      if (b.shop.wall >= d.expires_at) {
        take(i, b.shop.handle(event::DecisionExpired{id}));
        continue;
      }
      sent.push_back({d.customer, d.campaign, b.shop.wall});
      take(i, b.shop.sent(d));
    }
    publish(i);
  }

  void pass(std::chrono::hours time) {
    for (std::size_t i = 0; i < boxes_.size(); ++i) {
      boxes_[i]->shop.step_time(time);
      take(i, boxes_[i]->shop.hear_crm());
    }
  }

  void publish(std::size_t i) {
    Box& b = *boxes_[i];
    if (!b.connected) return;
    for (const Word& w : std::exchange(b.outbox, {})) {
      if (w.offer) {
        kept_[w.decision] = w;
      } else {
        kept_.erase(w.decision);
      }
      for (auto& box : boxes_) {
        if (box->connected) box->inbox.push_back(w);
      }
    }
  }

  void connect(std::size_t i) {
    Box& b = *boxes_[i];
    if (!b.connected) {
      b.connected = true;
      for (auto [id, word] : kept_) {
        word.kept = true;
        b.inbox.push_back(word);
      }
    }
    publish(i);
  }

  void deliver(std::size_t i) {
    Box& b = *boxes_[i];
    if (b.inbox.empty()) return;
    const Word w = b.inbox.front();
    b.inbox.pop_front();
    if (w.offer) {
      take(i, b.shop.handle(event::OfferTold{*w.offer, w.box == i, w.kept}));
    } else {
      take(i, b.shop.handle(event::OfferTakenBack{w.decision}));
    }
  }

  // What the broker told it is gone; it tells again.
  void restart(std::size_t i) {
    Box& b = *boxes_[i];
    b.connected = false;
    b.inbox.clear();
    b.shop.restart();
    connect(i);
  }

  Policy policy_;
  std::vector<std::unique_ptr<Box>> boxes_;
  std::map<DecisionId, Word> kept_;  // by the broker
};

RC_GTEST_PROP(Properties, no_cap_is_exceeded_by_several_boxes_of_a_store, ()) {
  Policy p;
  p.fatigue_after = 0;
  p.caps.per_customer_day = *rc::gen::inRange(1, 3);
  p.caps.per_customer_week = *rc::gen::inRange(1, 4);
  p.caps.min_gap = std::chrono::seconds{*rc::gen::element(0, 3600)};
  p.caps.per_store_day = *rc::gen::inRange(1, 5);
  SharedStore store(p);
  const int steps = *rc::gen::inRange(1, 80);
  for (int i = 0; i < steps; ++i) store.step();
  store.everything_arrives();
  const StoreClock clock;
  for (const auto& a : store.sent) {
    const auto day = clock.local(a.at).day;
    int on_day = 0, in_week = 0, of_store = 0, of_campaign = 0;
    for (const auto& b : store.sent) {
      const auto other = clock.local(b.at).day;
      of_store += other == day;
      if (b.customer != a.customer) continue;
      on_day += other == day;
      in_week += other <= day && day - other < std::chrono::days{7};
      of_campaign += b.campaign == a.campaign && other == day;
      if (&a != &b) RC_ASSERT(std::chrono::abs(a.at - b.at) >= p.caps.min_gap);
    }
    RC_ASSERT(on_day <= *p.caps.per_customer_day);
    RC_ASSERT(in_week <= *p.caps.per_customer_week);
    RC_ASSERT(of_store <= *p.caps.per_store_day);
    RC_ASSERT(of_campaign <= 2);
  }
  RC_TAG(store.sent.empty() ? "nothing sent" : "sent");
}

class QuietHoursOverDst : public testing::TestWithParam<const char*> {};

TEST_P(QuietHoursOverDst, nothing_is_made_or_released_inside_them) {
  for (const auto mode : {QuietHours::Mode::drop, QuietHours::Mode::hold}) {
    Shop shop;
    Policy p;
    p.time_zone = GetParam();
    p.fatigue_after = 0;
    p.quiet_hours = QuietHours{{1h, 8h}, mode};
    shop.use(p);
    Campaign c = campaign("k-espresso");
    c.cap.per_customer = 100;
    shop.use({c});
    int made = 0, n = 0;
    // All of 2026's changes of the clock lie in these stretches, north and south.
    for (const auto start : {std::chrono::sys_days{std::chrono::year{2026} / 3 / 7},
                             std::chrono::sys_days{std::chrono::year{2026} / 3 / 28},
                             std::chrono::sys_days{std::chrono::year{2026} / 4 / 4},
                             std::chrono::sys_days{std::chrono::year{2026} / 10 / 3},
                             std::chrono::sys_days{std::chrono::year{2026} / 10 / 24},
                             std::chrono::sys_days{std::chrono::year{2026} / 10 / 31}}) {
      shop.wall = start;
      shop.hear_crm();
      while (shop.wall < start + 48h) {
        const auto who = shop.member("c-" + std::to_string(n++));
        shop.directory.rows.clear();
        for (const auto& d : offers(shop.stay(who, Zone::street, 6s))) {
          if (!d.made()) continue;
          ++made;
          const std::time_t seconds =
              std::chrono::floor<std::chrono::seconds>(d.not_before.value_or(d.at))
                  .time_since_epoch()
                  .count();
          setenv("TZ", GetParam(), 1);
          tzset();
          std::tm tm{};
          localtime_r(&seconds, &tm);
          unsetenv("TZ");
          tzset();
          EXPECT_TRUE(tm.tm_hour < 1 || tm.tm_hour >= 8) << utc_text(d.at);
        }
        shop.leave(who);
        shop.step_time(17min);
      }
    }
    EXPECT_GT(made, 300);
  }
}
INSTANTIATE_TEST_SUITE_P(Properties, QuietHoursOverDst,
                         testing::Values("Europe/Berlin", "America/New_York",
                                         "Australia/Lord_Howe"));

TEST(Assignment, is_balanced_by_weight_and_sticky) {
  Campaign c = campaign("k-espresso");
  c.choice = VariantChoice::sticky;
  for (const auto& [id, weight] : {std::pair{"b", 1.0}, {"c", 2.0}, {"d", 4.0}}) {
    Variant v = c.variants[0];
    v.id = id;
    v.weight = weight;
    c.variants.push_back(v);
  }
  const Policy policy;
  const CustomerFacts facts;
  const Learner learner;
  const StoreClock clock;
  OfferContext context;
  context.policy = &policy;
  context.facts = &facts;
  context.clock = &clock;
  constexpr int kCustomers = 40'000;
  std::array<int, 4> seen{};
  for (int i = 0; i < kCustomers; ++i) {
    context.customer = CustomerId("c-" + std::to_string(i));
    const auto variant = choose_variant(c, context, learner, "", nullptr);
    ASSERT_EQ(variant, choose_variant(c, context, learner, "", nullptr));
    ++seen[variant];
  }
  double chi_square = 0;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const double expected = kCustomers * c.variants[i].weight / 8.0;
    chi_square += (seen[i] - expected) * (seen[i] - expected) / expected;
  }
  EXPECT_LT(chi_square, 11.34) << "1 % of three degrees of freedom";
}

TEST(Assignment, of_two_campaigns_and_of_the_hold_out_is_independent) {
  Campaign a = campaign("k-a"), b = campaign("k-b");
  a.choice = b.choice = VariantChoice::sticky;
  for (Campaign* k : {&a, &b}) {
    k->holdout_percent = 50;
    k->variants.push_back(k->variants[0]);
    k->variants[1].id = "b";
  }
  const Policy policy;
  const CustomerFacts facts;
  const Learner learner;
  OfferContext context;
  context.policy = &policy;
  context.facts = &facts;
  std::array<int, 16> cells{};
  constexpr int kCustomers = 32'000;
  for (int i = 0; i < kCustomers; ++i) {
    context.customer = CustomerId("c-" + std::to_string(i));
    std::size_t cell = choose_variant(a, context, learner, "", nullptr);
    cell = cell * 2 + choose_variant(b, context, learner, "", nullptr);
    cell = cell * 2 + (held_out(a, context, nullptr) ? 1 : 0);
    cell = cell * 2 + (held_out(b, context, nullptr) ? 1 : 0);
    ++cells[cell];
  }
  double chi_square = 0;
  for (int n : cells) chi_square += (n - 2000.0) * (n - 2000.0) / 2000.0;
  EXPECT_LT(chi_square, 30.58) << "1 % of fifteen degrees of freedom";
}

TEST(HoldOut, is_never_shown_whatever_the_day) {
  Shop shop;
  Campaign c = campaign("k-espresso");
  c.holdout_percent = 30;
  shop.use({c});
  std::set<CustomerId> shown, held;
  for (int day = 0; day < 5; ++day) {
    for (int i = 0; i < 60; ++i) {
      const auto who = shop.member("c-" + std::to_string(i));
      for (const auto& d : offers(shop.stay(who, Zone::street, 6s))) {
        if (d.made()) {
          shown.insert(who);
          shop.sent(d);
          shop.handle(event::ExternalOutcome{who, d.id, Outcome::opened, "", 0, shop.wall});
        } else if (d.reason == Reason::holdout) {
          held.insert(who);
        }
      }
      shop.leave(who);
    }
    shop.wait(16h);
    shop.hear_crm();
  }
  EXPECT_EQ(shown.size() + held.size(), 60U);
  for (const auto& who : held) EXPECT_FALSE(shown.contains(who));
}

// ---- the learner

TEST(LearnerDraws, are_reproducible_by_seed_and_history) {
  Campaign c = campaign("k");
  c.variants.push_back(c.variants[0]);
  c.variants[1].id = "b";
  Learner learner;
  for (int i = 0; i < 20; ++i) learner.sent(c.id, "", i % 2 ? "a" : "b");
  for (int i = 0; i < 5; ++i) learner.succeeded(c.id, "", "b");
  Learner copy;
  ASSERT_TRUE(copy.load(c.id, learner.encode(c.id)));
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    EXPECT_EQ(learner.draw(c, "", 0.1, seed).variant, copy.draw(c, "", 0.1, seed).variant);
  }
}

TEST(LearnerDraws, favour_what_worked_and_keep_exploring) {
  Campaign c = campaign("k");
  c.variants.push_back(c.variants[0]);
  c.variants[1].id = "b";
  Learner learner;
  for (int i = 0; i < 1000; ++i) {
    learner.sent(c.id, "", "a");
    learner.sent(c.id, "", "b");
    if (i % 10 == 0) learner.succeeded(c.id, "", "a");
    if (i % 5 == 0) learner.succeeded(c.id, "", "b");
  }
  int a = 0, b = 0;
  for (std::uint64_t seed = 0; seed < 10'000; ++seed) {
    (learner.draw(c, "", 0.1, mix64(seed)).variant == 0 ? a : b)++;
  }
  EXPECT_NEAR(a, 500, 100) << "half of the floor";
  EXPECT_GT(b, 9000);
}

TEST(LearnerDraws, follow_the_beta_distribution) {
  Random random(1);
  double sum = 0, squares = 0;
  constexpr int kDraws = 100'000;
  for (int i = 0; i < kDraws; ++i) {
    const double x = draw_beta(3, 9, random);
    sum += x;
    squares += x * x;
  }
  const double mean = sum / kDraws;
  EXPECT_NEAR(mean, 0.25, 0.002);
  EXPECT_NEAR(squares / kDraws - mean * mean, 0.25 * 0.75 / 13, 0.0005);
}

TEST(Learning, keeps_a_customers_variant_and_counts_what_was_sent_and_redeemed) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Campaign c = campaign("k-espresso");
  c.choice = VariantChoice::learn;
  c.variants.push_back(c.variants[0]);
  c.variants[1].id = "b";
  shop.use({c});
  std::set<std::string> variants;
  for (int day = 0; day < 4; ++day) {
    const auto d = offers(shop.stay(paul, Zone::street, 6s)).at(0);
    variants.insert(d.variant);
    shop.sent(d);
    shop.handle(event::ExternalOutcome{paul, d.id, Outcome::redeemed, "", 0, shop.wall});
    shop.handle(event::ExternalOutcome{paul, d.id, Outcome::redeemed, "", 0, shop.wall});
    shop.leave(paul);
    shop.wait(24h);
    shop.hear_crm();
  }
  EXPECT_EQ(variants.size(), 1U);
  const auto row = shop.directory.rows.at({StateRow::Kind::store, "learner:k-espresso"});
  EXPECT_EQ(*row.value, "[[\"\",\"" + *variants.begin() + "\",4,4]]");
}

}  // namespace
}  // namespace welcome
