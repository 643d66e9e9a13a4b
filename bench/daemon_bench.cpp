// The whole engine with 100,000 customers: a snapshot of everything comes in, a delta, a
// withdrawal, and the start on what is then on the disk. The radio and the links are the test
// bench's; TMPDIR says on which disk the database is.

#include <algorithm>
#include <benchmark/benchmark.h>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <unistd.h>
#include <vector>

#include "sync/feed.h"
#include "tests/support/bench_box.h"

namespace welcome {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr int kCustomers = 100'000;
constexpr int kItemsOfABatch = 500;
constexpr WallTime kStart{std::chrono::sys_days{std::chrono::year{2026} / 5 / 4} + 8h};
const sync::BoxAddress kBox{"demo", "aroma-1", "box-1"};

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

double resident_mib() {
  long pages = 0;
  long resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1048576.0;
}

std::string name(int n) { return "c-" + std::to_string(1'000'000 + n); }

sync::FeedItem profile(int n) {
  sync::FeedItem item;
  item.key = name(n);
  item.value =
      R"({"customer":")" + name(n) +
      R"(","name":"Paul Moreau","greeting":"Mr Moreau","pronunciation":"mo-ROH","language":"en",)"
      R"("tier":"gold","points":1240,"next_reward_points":1500,"preferences":[{"key":"drink",)"
      R"("value":"sparkling water, no ice","confidence":0.9,"confirmed":2,"last_confirmed":)"
      R"("2026-05-02T10:00:00.000Z"}],"segments":["regular","morning"],"tags":[],"avoid":[]})";
  return item;
}

sync::FeedItem consent(int n, const char* purpose, bool given = true) {
  sync::FeedItem item;
  item.key = "r-" + name(n) + "-" + purpose;
  item.value =
      R"({"record_id":")" + item.key + R"(","schema_version":"1","tenant":"demo","customer":")" +
      name(n) + R"(","purpose":")" + purpose +
      R"(","notice":{"id":"n-1","version":"3","language":"en"},"data_categories":["ble_key"],)"
      R"("controller":"Aroma Ltd","storage_location":"box","retention_days":365,)"
      R"("jurisdiction":"EU","recipients":[],"withdraw_how":"app","history":[{"state":"given",)"
      R"("at":"2026-05-02T10:00:00.000Z","how":"app"})" +
      (given ? "" : R"(,{"state":"withdrawn","at":"2026-05-04T08:00:00.000Z","how":"app"})") + "]}";
  return item;
}

sync::FeedItem identity(int n) {
  char key[33];
  std::snprintf(key, sizeof key, "%032x", 0x1000'0000 + n);
  sync::FeedItem item;
  item.key = "i-" + name(n);
  item.value = R"({"identity":")" + item.key + R"(","customer":")" + name(n) +
               R"(","kind":"rotating_uuid","key":")" + key +
               R"(","rotation_exponent":10,"clock_zero":"2026-01-01T00:00:00.000Z"})";
  return item;
}

struct Pauses {
  double total_ms = 0;
  double longest_ms = 0;
};

// As the link would bring them, one by one; between two of them the engine is free.
Pauses receive(test::BenchBox& box, const std::vector<sync::FeedBatch>& batches) {
  Pauses pauses;
  for (const sync::FeedBatch& batch : batches) {
    const sync::Message message = encode_feed(kBox, batch);
    const auto begin = Clock::now();
    box.inbound(sync::LinkName::uplink, message.topic, message.payload);
    const double took = ms_since(begin);
    pauses.total_ms += took;
    pauses.longest_ms = std::max(pauses.longest_ms, took);
    const auto ticking = Clock::now();
    box.advance(50ms);
    pauses.total_ms += ms_since(ticking);
    pauses.longest_ms = std::max(pauses.longest_ms, ms_since(ticking));
  }
  return pauses;
}

std::vector<sync::FeedBatch> snapshot(sync::Collection collection,
                                      std::vector<sync::FeedItem> items) {
  sync::Digest digest;
  std::uint64_t seq = 0;
  for (auto& item : items) {
    item.seq = ++seq;
    digest.toggle(item.key, item.seq);
  }
  const std::size_t parts = (items.size() + kItemsOfABatch - 1) / kItemsOfABatch;
  std::vector<sync::FeedBatch> batches;
  for (std::size_t part = 0; part < parts; ++part) {
    sync::FeedBatch batch;
    batch.collection = collection;
    batch.epoch = "e1";
    batch.snapshot = true;
    batch.to_seq = seq;
    batch.part = static_cast<std::uint32_t>(part + 1);
    batch.parts = static_cast<std::uint32_t>(parts);
    batch.digest = digest.hex();
    const auto first = items.begin() + static_cast<std::ptrdiff_t>(part * kItemsOfABatch);
    const auto last = items.begin() + static_cast<std::ptrdiff_t>(
                                          std::min(items.size(), (part + 1) * kItemsOfABatch));
    batch.items.assign(std::make_move_iterator(first), std::make_move_iterator(last));
    batches.push_back(std::move(batch));
  }
  return batches;
}

template <class Make>
std::vector<sync::FeedItem> all(Make make) {
  std::vector<sync::FeedItem> items;
  for (int n = 0; n < kCustomers; ++n) items.push_back(make(n));
  return items;
}

std::vector<sync::FeedItem> all_consents() {
  auto items = all([](int n) { return consent(n, "proximity_offers"); });
  for (int n = 0; n < kCustomers; ++n) items.push_back(consent(n, "preference_prompts"));
  return items;
}

void Customers(benchmark::State& state) {
  const double before_mib = resident_mib();
  for (auto _ : state) {
    test::BenchBox box(kStart);
    box.link_up(sync::LinkName::uplink);
    Pauses sum;
    const auto take = [&](const char* what, const std::vector<sync::FeedBatch>& batches) {
      const Pauses pauses = receive(box, batches);
      state.counters[std::string(what) + "_ms"] = pauses.total_ms;
      state.counters[std::string(what) + "_longest_ms"] = pauses.longest_ms;
      sum.total_ms += pauses.total_ms;
    };
    take("consents", snapshot(sync::Collection::consents, all_consents()));
    take("identities", snapshot(sync::Collection::identities, all(identity)));
    take("profiles", snapshot(sync::Collection::profiles, all(profile)));
    state.counters["snapshot_ms"] = sum.total_ms;
    box.advance(1s);

    // One withdrawal after the other, each a delta of its own.
    std::vector<double> gone;
    std::uint64_t seq = 2 * kCustomers;
    for (int n = 0; n < 50; ++n) {
      sync::FeedBatch delta;
      delta.collection = sync::Collection::consents;
      delta.epoch = "e1";
      delta.from_seq = seq;
      delta.to_seq = ++seq;
      delta.items = {consent(n * 1000, "proximity_offers", false)};
      delta.items[0].seq = seq;
      const sync::Message message = encode_feed(kBox, delta);
      const auto begin = Clock::now();
      box.inbound(sync::LinkName::uplink, message.topic, message.payload);
      gone.push_back(ms_since(begin));
      box.advance(50ms);
    }
    std::sort(gone.begin(), gone.end());
    state.counters["withdrawal_p50_ms"] = gone[gone.size() / 2];
    state.counters["withdrawal_max_ms"] = gone.back();

    const auto begin = Clock::now();
    box.power_cycle();
    state.counters["start_ms"] = ms_since(begin);
    state.counters["resident_mib"] = resident_mib() - before_mib;
    if (box.engine().counters().feed_set_aside > 0) state.SkipWithError("items were set aside");
  }
}
BENCHMARK(Customers)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace welcome
