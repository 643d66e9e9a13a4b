// SPDX-License-Identifier: Apache-2.0
// The rules' hot paths, with 500 campaigns and 100,000 customers.

#include <algorithm>
#include <benchmark/benchmark.h>
#include <chrono>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/hash.h"
#include "core/pipeline.h"

namespace welcome {
namespace {

using namespace std::chrono_literals;

constexpr int kCustomers = 100'000;
constexpr int kCampaigns = 500;
constexpr WallTime kMonday = std::chrono::sys_days{std::chrono::year{2026} / 11 / 16} + 8h;

struct World : Pipeline::Directory, Pipeline::IdSource {
  const Profile* profile(const CustomerId& c) override {
    const auto it = profiles.find(c);
    return it == profiles.end() ? nullptr : &it->second;
  }
  std::optional<std::string> facts(const CustomerId& c) override {
    const auto it = rows.find(c.str());
    return it == rows.end() ? std::nullopt : std::optional(it->second);
  }
  std::string next() override { return "00000000-0000-4000-8000-" + std::to_string(++count); }

  explicit World(int campaigns) {
    ConsentGate gate;
    gate.heard_from_crm(kMonday);
    for (int i = 0; i < kCustomers; ++i) {
      customers.emplace_back("customer-" + std::to_string(i));
      ConsentRecord r;
      r.customer = customers.back();
      r.history = {{ConsentState::given, kMonday - 24h, "app"}};
      for (Purpose p : kAllPurposes) {
        r.purpose = p;
        gate.put(r);
      }
      Profile p;
      p.customer = customers.back();
      p.name = "Customer " + std::to_string(i);
      p.greeting = "Ms " + std::to_string(i);
      p.tier = i % 10 == 0 ? "gold" : "silver";
      p.points = i % 3000;
      p.next_reward_points = 3000;
      p.segments = {"regular", "lunch"};
      p.preferences = {{"drink", "sparkling water, no ice", 0.9, 2, kMonday - 48h}};
      profiles[customers.back()] = p;
    }
    pipeline.emplace(PipelineSettings{}, *this, *this, std::move(gate));
    Policy policy;
    policy.time_zone = "Europe/Berlin";
    policy.caps.per_customer_day = 2;
    policy.caps.per_customer_week = 5;
    policy.quiet_hours = QuietHours{{21h, 8h}, QuietHours::Mode::drop};
    pipeline->handle(event::PolicyReplaced{policy}, now);
    std::vector<Campaign> all;
    for (int i = 0; i < campaigns; ++i) {
      Campaign c;
      c.id = CampaignId("campaign-" + std::to_string(i));
      c.priority = i % 7;
      c.trigger.on = static_cast<TriggerOn>(i % 5);
      c.trigger.dwell = std::chrono::seconds{i % 2 ? 5 : 20};
      c.audience.all = {{"segments", Condition::Op::has, {"regular"}, 0},
                        {"points", Condition::Op::at_least, {}, (i % 60) * 50.0}};
      c.audience.any = {{"tier", Condition::Op::in, {"gold", "silver"}, 0},
                        {"visits_30d", Condition::Op::at_least, {}, 2}};
      Variant v;
      v.id = "a";
      v.text["en"] = "{{#greeting}}Hello {{greeting}}, {{/greeting}}{{points}} points";
      c.variants = {v, v};
      c.variants[1].id = "b";
      all.push_back(std::move(c));
    }
    pipeline->handle(event::CampaignsReplaced{std::move(all)}, now);
  }

  Effects handle(const Event& event) {
    Effects effects = pipeline->handle(event, now);
    for (const StateRow& row : effects.rows) {
      if (row.kind != StateRow::Kind::facts) continue;
      if (row.value) {
        rows[row.key] = *row.value;
      } else {
        rows.erase(row.key);
      }
    }
    return effects;
  }
  Event claim(const CustomerId& c, Zone zone) const {
    IdentityClaim claim;
    claim.customer = c;
    claim.fast = claim.settled = zone;
    claim.at = now.mono;
    return event::Claim{std::move(claim)};
  }
  void wait(std::chrono::milliseconds d) {
    now.mono += d;
    now.wall += d;
  }

  std::vector<CustomerId> customers;
  std::unordered_map<CustomerId, Profile> profiles;
  std::unordered_map<std::string, std::string> rows;
  int count = 0;
  Now now{MonoTime{1h}, kMonday, true};
  std::optional<Pipeline> pipeline;
};

void GateCheck(benchmark::State& state) {
  World world(0);
  Random random(1);
  std::vector<const CustomerId*> asked;
  for (int i = 0; i < 4096; ++i) asked.push_back(&world.customers[random.next() % kCustomers]);
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        world.pipeline->gate().permits(*asked[i++ & 4095], Purpose::proximity_offers, world.now));
  }
}
BENCHMARK(GateCheck);

// A full shop: everybody is heard again and again, hardly anything happens.
void ClaimsOfPeopleWhoAreThere(benchmark::State& state) {
  World world(kCampaigns);
  constexpr std::size_t kPresent = 500;
  const auto everybody = [&] {
    for (std::size_t i = 0; i < kPresent; ++i) {
      world.handle(world.claim(world.customers[i], Zone::inside));
      world.wait(2ms);
    }
  };
  for (int i = 0; i < 60; ++i) everybody();
  std::size_t i = 0;
  for (auto _ : state) {
    world.wait(2ms);
    benchmark::DoNotOptimize(
        world.handle(world.claim(world.customers[i++ % kPresent], Zone::inside)));
  }
  state.counters["events/s"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(ClaimsOfPeopleWhoAreThere);

double thread_micros() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

// Only the claims that lead to an offer, a prompt or a suppression. CPU time: the machine is
// shared.
void EventToDecision(benchmark::State& state) {
  World world(kCampaigns);
  std::vector<double> micros;
  std::size_t i = 0;
  for (auto _ : state) {
    const CustomerId& who = world.customers[i++ % kCustomers];
    for (const auto& [zone, wait] : {std::pair{Zone::street, 0ms},
                                     {Zone::street, 5000ms},
                                     {Zone::inside, 1000ms},
                                     {Zone::inside, 5000ms},
                                     {Zone::desk, 1000ms},
                                     {Zone::away, 1000ms}}) {
      world.wait(wait);
      const Event event = world.claim(who, zone);
      const double begin = thread_micros();
      const Effects effects = world.handle(event);
      const double end = thread_micros();
      if (!effects.decisions.empty()) micros.push_back(end - begin);
      for (const Decision& d : effects.decisions) {
        if (d.kind == DecisionKind::offer && d.made()) world.handle(event::DecisionSent{d.id});
      }
    }
  }
  std::sort(micros.begin(), micros.end());
  const auto at = [&](double q) {
    return micros[static_cast<std::size_t>(q * static_cast<double>(micros.size() - 1))];
  };
  state.counters["p50_us"] = at(0.5);
  state.counters["p99_us"] = at(0.99);
  state.counters["max_us"] = micros.back();
}
BENCHMARK(EventToDecision)->Unit(benchmark::kMicrosecond)->Iterations(20'000);

// 2,000 visits a day: by the street, in, a quarter of an hour at the desk, away.
void AWeekOfABusyStore(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    auto world = std::make_unique<World>(kCampaigns);
    Random random(7);
    state.ResumeTiming();
    std::int64_t events = 0, decisions = 0;
    for (int day = 0; day < 7; ++day) {
      struct Due {
        std::chrono::seconds at;
        const CustomerId* who;
        Zone zone;
        bool operator<(const Due& o) const { return at < o.at; }
      };
      std::vector<Due> dues;
      for (int visit = 0; visit < 2000; ++visit) {
        const CustomerId* who = &world->customers[random.next() % 5000];
        std::chrono::seconds t{static_cast<int>(random.next() % (12 * 3600))};
        for (int s = 0; s < 8; s += 2) dues.push_back({t + 1s * s, who, Zone::street});
        for (int s = 8; s < 20; s += 2) dues.push_back({t + 1s * s, who, Zone::inside});
        for (int s = 20; s < 900; s += 2) dues.push_back({t + 1s * s, who, Zone::desk});
        dues.push_back({t + 902s, who, Zone::away});
      }
      std::stable_sort(dues.begin(), dues.end());
      world->now.wall = kMonday + 24h * day;
      const MonoTime opening = MonoTime{1h} + 24h * day;
      world->handle(event::CrmHeard{world->now.wall});
      for (const Due& due : dues) {
        world->now.mono = opening + due.at;
        world->now.wall = kMonday + 24h * day + due.at;
        const Effects effects = world->handle(world->claim(*due.who, due.zone));
        ++events;
        decisions += static_cast<std::int64_t>(effects.decisions.size());
        for (const Decision& d : effects.decisions) {
          if (d.kind == DecisionKind::offer && d.made()) world->handle(event::DecisionSent{d.id});
        }
      }
    }
    state.counters["events"] = static_cast<double>(events);
    state.counters["decisions"] = static_cast<double>(decisions);
    state.PauseTiming();
    world.reset();
    state.ResumeTiming();
  }
}
BENCHMARK(AWeekOfABusyStore)->Unit(benchmark::kSecond)->Iterations(1);

}  // namespace
}  // namespace welcome
