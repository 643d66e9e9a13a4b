// SPDX-License-Identifier: Apache-2.0
// The whole engine with 100,000 customers: a snapshot of everything comes in, a delta, a
// withdrawal, and the start on what is then on the disk. The radio and the links are the test
// bench's; TMPDIR says on which disk the database is. "cpu" is processor time, which other programs
// do not change.

#include <algorithm>
#include <benchmark/benchmark.h>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <malloc.h>
#include <stdexcept>
#include <string>
#include <vector>

#include "contract/signed_text.h"
#include "contract/signing.h"
#include "firmware/engine/feed_intake.h"
#include "harness/bench_box.h"
#include "harness/memory.h"
#include "sync/feed.h"

namespace welcome {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr int kItemsOfABatch = 150;  // as the reference CRM makes them

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

double cpu_ms() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

std::string name(int n) { return "c-" + std::to_string(1'000'000 + n); }

contract::FeedItem profile(int n) {
  contract::FeedItem item;
  item.key = name(n);
  item.value =
      R"({"customer":")" + name(n) +
      R"(","name":"Paul Moreau","greeting":"Mr Moreau","pronunciation":"mo-ROH","language":"en",)"
      R"("tier":"gold","points":1240,"next_reward_points":1500,"preferences":[{"key":"drink",)"
      R"("value":"sparkling water, no ice","confidence":0.9,"confirmed":2,"last_confirmed":)"
      R"("2026-05-02T10:00:00.000Z"}],"segments":["regular","morning"],"tags":[],"avoid":[]})";
  return item;
}

contract::FeedItem consent(int n, const char* purpose, bool given = true) {
  contract::FeedItem item;
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

contract::FeedItem identity(int n) {
  char key[33];
  std::snprintf(key, sizeof key, "%032x", 0x1000'0000 + n);
  contract::FeedItem item;
  item.key = "i-" + name(n);
  item.value = R"({"identity":")" + item.key + R"(","customer":")" + name(n) +
               R"(","kind":"rotating_uuid","key":")" + key +
               R"(","rotation_exponent":10,"clock_zero":"2026-01-01T00:00:00.000Z"})";
  return item;
}

struct Pauses {
  double engine_ms = 0;  // of the engine's thread
  double engine_cpu_ms = 0;
  double longest_ms = 0;
  double longest_cpu_ms = 0;
  double link_cpu_ms = 0;  // of the link's thread, beside it
  // What the signature of each batch costs beside that, the CRM and the box.
  double sign_cpu_ms = 0;
  double check_cpu_ms = 0;

  void add(const Pauses& more) {
    engine_ms += more.engine_ms;
    engine_cpu_ms += more.engine_cpu_ms;
    longest_ms = std::max(longest_ms, more.longest_ms);
    longest_cpu_ms = std::max(longest_cpu_ms, more.longest_cpu_ms);
    link_cpu_ms += more.link_cpu_ms;
    sign_cpu_ms += more.sign_cpu_ms;
    check_cpu_ms += more.check_cpu_ms;
  }
  void show(benchmark::State& state, const std::string& what) const {
    state.counters[what + "_ms"] = engine_ms;
    state.counters[what + "_cpu_ms"] = engine_cpu_ms;
    state.counters[what + "_longest_ms"] = longest_ms;
    state.counters[what + "_longest_cpu_ms"] = longest_cpu_ms;
    state.counters[what + "_link_cpu_ms"] = link_cpu_ms;
    const double applied = engine_cpu_ms + link_cpu_ms;
    state.counters[what + "_sign_percent"] = 100 * sign_cpu_ms / applied;
    state.counters[what + "_check_percent"] = 100 * check_cpu_ms / applied;
  }
};

// What it adds to a batch that the CRM signs it and the box checks that.
void sign_and_check(const std::string& payload, Pauses& pauses) {
  static const contract::Signer signer("k1", contract::Signer::new_seed());
  static const contract::KeyRing keys = [] {
    contract::KeyRing ring;
    ring.pin("k1", signer.public_key());
    return ring;
  }();
  const double begin = cpu_ms();
  const std::string text = contract::sign_text(signer, payload);
  const double signed_at = cpu_ms();
  if (!contract::verified_text(keys, text)) throw std::runtime_error("not signed");
  pauses.sign_cpu_ms += signed_at - begin;
  pauses.check_cpu_ms += cpu_ms() - signed_at;
}

// A snapshot, as the link would bring it: one piece after the other, and between two of them the
// engine is free. Each is made when its turn comes, so that what is resident is the engine's.
template <class Make>
Pauses receive(test::BenchBox& box, contract::Collection collection, int count, Make make) {
  contract::Digest digest;
  for (int n = 0; n < count; ++n) digest.toggle(make(n).key, static_cast<std::uint64_t>(n) + 1);
  Pauses pauses;
  const auto timed = [&](auto&& what) {
    const auto begin = Clock::now();
    const double cpu = cpu_ms();
    what();
    const double took_cpu = cpu_ms() - cpu;
    const double took = ms_since(begin);
    pauses.add({took, took_cpu, took, took_cpu});
  };
  for (int first = 0; first < count; first += kItemsOfABatch) {
    contract::FeedBatch batch;
    batch.collection = collection;
    batch.epoch = "e1";
    batch.snapshot = true;
    batch.to_seq = static_cast<std::uint64_t>(count);
    batch.part = static_cast<std::uint32_t>(first / kItemsOfABatch + 1);
    batch.parts = static_cast<std::uint32_t>((count + kItemsOfABatch - 1) / kItemsOfABatch);
    batch.digest = digest.hex();
    for (int n = first; n < std::min(first + kItemsOfABatch, count); ++n) {
      batch.items.push_back(make(n));
      batch.items.back().seq = static_cast<std::uint64_t>(n) + 1;
    }
    const contract::Message message = encode_feed(test::bench_address, batch);
    sign_and_check(message.payload, pauses);
    contract::RawMessage raw;
    raw.topic = message.topic;
    raw.payload = message.payload;
    const double begin = cpu_ms();
    auto pieces = daemon::feed_pieces(test::bench_address, raw, {}, {}, {});
    pauses.link_cpu_ms += cpu_ms() - begin;
    for (auto& piece : pieces) {
      timed([&] { box.engine().handle(std::move(piece), box.now()); });
    }
    box.ack_all();
    timed([&] { box.advance(50ms); });
  }
  return pauses;
}

void Customers(benchmark::State& state) {
  const double before_mib = test::resident_mib();
  const auto customers = static_cast<int>(state.range(0));
  for (auto _ : state) {
    test::BenchBox box(test::kStart);
    box.link_up(contract::LinkName::uplink);
    Pauses sum;
    const auto take = [&](const char* what, contract::Collection collection, int count, auto make) {
      const Pauses pauses = receive(box, collection, count, make);
      pauses.show(state, what);
      sum.add(pauses);
    };
    take("consents", contract::Collection::consents, 2 * customers, [customers](int n) {
      return n < customers ? consent(n, "proximity_offers")
                           : consent(n - customers, "preference_prompts");
    });
    take("profiles", contract::Collection::profiles, customers, profile);
    take("identities", contract::Collection::identities, customers, identity);
    sum.show(state, "snapshot");
    box.advance(1s);
    state.counters["snapshot_mib"] = test::resident_mib() - before_mib;

    // One withdrawal after the other, each a delta of its own.
    std::vector<double> gone;
    auto seq = static_cast<std::uint64_t>(2 * customers);
    for (int n = 0; n < 50; ++n) {
      contract::FeedBatch delta;
      delta.collection = contract::Collection::consents;
      delta.epoch = "e1";
      delta.from_seq = seq;
      delta.to_seq = ++seq;
      delta.items = {consent(n * customers / 100, "proximity_offers", false)};
      delta.items[0].seq = seq;
      const contract::Message message = encode_feed(test::bench_address, delta);
      const auto begin = Clock::now();
      box.inbound(contract::LinkName::uplink, message.topic, message.payload);
      gone.push_back(ms_since(begin));
      box.advance(50ms);
    }
    std::sort(gone.begin(), gone.end());
    state.counters["withdrawal_p50_ms"] = gone[gone.size() / 2];
    state.counters["withdrawal_max_ms"] = gone.back();

    const auto stopping = Clock::now();
    box.power_off();
    state.counters["stop_ms"] = ms_since(stopping);
    malloc_trim(0);  // as a new process would begin
    state.counters["stopped_mib"] = test::resident_mib() - before_mib;
    const auto starting = Clock::now();
    box.power_on();
    state.counters["start_ms"] = ms_since(starting);
    state.counters["resident_mib"] = test::resident_mib() - before_mib;
    if (box.engine().counters().feed_set_aside > 0) state.SkipWithError("items were set aside");
  }
}
BENCHMARK(Customers)->Arg(20'000)->Arg(100'000)->Iterations(1)->UseRealTime()->Unit(
    benchmark::kMillisecond);

}  // namespace
}  // namespace welcome
