// SPDX-License-Identifier: Apache-2.0
// The store's hot paths. The directory is TMPDIR: on a RAM disk the figures are without the time of
// an fsync, which RawFsync measures by itself.

#include <algorithm>
#include <benchmark/benchmark.h>
#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <vector>

#include "firmware/store/sealing.h"
#include "firmware/store/store.h"
#include "harness/memory.h"

namespace welcome::store {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kCustomers = 100'000;

class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "store-bench-XXXXXX").string();
    if (!mkdtemp(pattern.data())) throw std::runtime_error("no temporary directory");
    path_ = pattern;
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

BoxKey key() {
  BoxKey box{};
  box.fill(7);
  return box;
}

Now at(std::int64_t ms) {
  return {MonoTime{std::chrono::milliseconds{ms}},
          WallTime{std::chrono::milliseconds{1'780'000'000'000 + ms}}, true};
}

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

Store open(const std::string& path) { return must(Store::open(path, key())); }

std::string customer(int n) { return "c-" + std::to_string(1'000'000 + n); }

// About what a profile weighs.
std::string profile(int n) {
  return R"({"customer":")" + customer(n) +
         R"(","name":"Paul Moreau","greeting":"Mr Moreau","pronunciation":"mo-ROH","language":"en",)"
         R"("tier":"gold","points":1240,"next_reward_points":1500,"preferences":[{"key":"drink",)"
         R"("value":"sparkling water, no ice","confidence":0.9,"confirmed":2,"last_confirmed":)"
         R"("2026-05-02T10:00:00.000Z"},{"key":"seat","value":"window","confidence":0.7,)"
         R"("confirmed":1}],"segments":["regular","morning"],"tags":[],"avoid":[],)"
         R"("last_conversation":{"text":"daughter starts school in autumn","at":)"
         R"("2026-05-02T10:00:00.000Z"}})";
}

std::vector<FeedChange> batch(Collection collection, int from, int to, std::int64_t seq) {
  std::vector<FeedChange> changes;
  changes.reserve(static_cast<std::size_t>(to - from));
  for (int n = from; n < to; ++n) {
    FeedChange change;
    change.item.customer = CustomerId(customer(n));
    change.item.seq = seq + n;
    if (collection == Collection::profiles) {
      change.item.key = customer(n);
      change.item.body = profile(n);
    } else {
      change.item.key = "r-" + customer(n);
      change.item.body = profile(n);
      change.item.brief = std::string(64, 'b');
    }
    changes.push_back(std::move(change));
  }
  return changes;
}

void fill(Store& store, Collection collection, int count) {
  for (int from = 0; from < count; from += 1000) {
    must(store.transaction([&](Tx& tx) {
      return tx.replica().apply(collection, FeedState{"e1", from + 1000, {}},
                                batch(collection, from, std::min(from + 1000, count), 1));
    }));
    while (must(store.maintain(at(0)))) {
    }
  }
}

double percentile(std::vector<double>& values, double p) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(p * static_cast<double>(values.size() - 1))];
}

void report_percentiles(benchmark::State& state, std::vector<double>& microseconds) {
  state.counters["p50_us"] = percentile(microseconds, 0.50);
  state.counters["p99_us"] = percentile(microseconds, 0.99);
  state.counters["max_us"] = microseconds.back();
}

double micros_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

void SealProfile(benchmark::State& state) {
  const BoxKey box = key();
  const Sealer sealer{std::span<const std::uint8_t, 32>(box)};
  const Secret secret = Secret::random();
  const std::string text = profile(1);
  for (auto _ : state) benchmark::DoNotOptimize(sealer.seal(secret, "item", text));
}
BENCHMARK(SealProfile);

void OpenProfile(benchmark::State& state) {
  const BoxKey box = key();
  const Sealer sealer{std::span<const std::uint8_t, 32>(box)};
  const Secret secret = Secret::random();
  const std::string sealed = sealer.seal(secret, "item", profile(1));
  for (auto _ : state) benchmark::DoNotOptimize(Sealer::open(secret, "item", sealed));
}
BENCHMARK(OpenProfile);

void FindProfile(benchmark::State& state) {
  const Folder folder;
  Store store = open(folder.file("box.db"));
  fill(store, Collection::profiles, 10'000);
  int n = 0;
  for (auto _ : state)
    benchmark::DoNotOptimize(store.replica().find(Collection::profiles, customer(n++ % 10'000)));
}
BENCHMARK(FindProfile);

void RawFsync(benchmark::State& state) {
  const Folder folder;
  const int file = ::open(folder.file("raw").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  const std::string page(4096 * 8, 'x');
  std::vector<double> times;
  for (auto _ : state) {
    const auto begin = Clock::now();
    if (::write(file, page.data(), page.size()) < 0 || ::fdatasync(file) != 0)
      state.SkipWithError("the disk fails");
    times.push_back(micros_since(begin));
  }
  ::close(file);
  report_percentiles(state, times);
}
BENCHMARK(RawFsync)->Iterations(2000);

// Visit, decision, state and two messages, with 10,000 customers in the file and housekeeping in
// between, as the engine does when it is idle.
void DecisionTransaction(benchmark::State& state) {
  const Folder folder;
  Store store = open(folder.file("box.db"));
  fill(store, Collection::profiles, 10'000);
  std::vector<double> times;
  int n = 0;
  for (auto _ : state) {
    const std::string id = std::to_string(n);
    const CustomerId who(customer(n++ % 10'000));
    const auto begin = Clock::now();
    must(store.transaction([&](Tx& tx) {
      tx.journal().put_visit(
          {VisitId("v-" + id), who, at(n).wall, std::nullopt, R"({"zone":"door"})"});
      tx.journal().add_decision({DecisionId("d-" + id), VisitId("v-" + id), who, at(n).wall,
                                 "offer", "made", std::string(600, 's')});
      tx.journal().put_state({StateRow::Kind::facts, who.str(), who, std::string(200, 'f')},
                             at(n).wall);
      OutboxRow row;
      row.id = MessageId(id);
      row.topic = "welcome/v1/demo/aroma-1/box-1/event";
      row.payload = std::string(600, 'p');
      row.customer = who;
      row.kind = OutboxKind::offer;
      row.ref = "d-" + id;
      row.priority = 2;
      tx.outbox().enqueue(row);
      row.priority = 1;
      tx.outbox().enqueue(row);
    }));
    times.push_back(micros_since(begin));
    if (n % 20 == 0) must(store.maintain(at(n)));
  }
  report_percentiles(state, times);
}
BENCHMARK(DecisionTransaction)->Iterations(5000)->Unit(benchmark::kMicrosecond);

// A delta of 1,000 items of people the box does not know yet / knows already.
void FeedApply(benchmark::State& state) {
  const bool known = state.range(0) != 0;
  const Folder folder;
  Store store = open(folder.file("box.db"));
  if (known) fill(store, Collection::profiles, kCustomers);
  int from = 0;
  std::int64_t seq = known ? 1'000'000 : 1;
  for (auto _ : state) {
    state.PauseTiming();
    const auto changes = batch(Collection::profiles, from, from + 1000, seq);
    state.ResumeTiming();
    must(store.transaction([&](Tx& tx) {
      return tx.replica().apply(Collection::profiles, FeedState{"e1", from + 1000, {}}, changes);
    }));
    must(store.maintain(at(0)));
    from += 1000;
    if (known && from >= kCustomers) {
      from = 0;
      seq += 1'000'000;
    }
  }
  state.counters["items_per_s"] = benchmark::Counter(static_cast<double>(state.iterations()) * 1000,
                                                     benchmark::Counter::kIsRate);
}
BENCHMARK(FeedApply)->Arg(0)->Arg(1)->Iterations(100)->UseRealTime()->Unit(benchmark::kMillisecond);

// Open the file and read what the box needs at once: consents and identities of 100,000 customers.
void Start(benchmark::State& state) {
  const Folder folder;
  {
    Store store = open(folder.file("box.db"));
    fill(store, Collection::profiles, kCustomers);
    fill(store, Collection::consents, kCustomers);
    fill(store, Collection::identities, kCustomers);
  }
  const double before = test::resident_mib();
  for (auto _ : state) {
    Store store = open(folder.file("box.db"));
    std::size_t loaded = 0;
    for (auto collection : {Collection::consents, Collection::identities})
      must(store.replica().load_briefs(collection,
                                       [&](ReplicaItem&& item) { loaded += item.brief.size(); }));
    benchmark::DoNotOptimize(loaded);
    state.counters["resident_mib"] = test::resident_mib();
    state.counters["grew_mib"] = test::resident_mib() - before;
    state.counters["file_mib"] = static_cast<double>(must(store.size()).database_bytes) / 1048576;
  }
}
BENCHMARK(Start)->Iterations(3)->UseRealTime()->Unit(benchmark::kMillisecond);

// Thirty days without a line: 60,000 messages, handed out and acknowledged 500 at a time.
void OutboxDrain(benchmark::State& state) {
  constexpr int kMessages = 60'000;
  const Folder folder;
  for (auto _ : state) {
    state.PauseTiming();
    fs::remove(folder.file("box.db"));
    Store store = open(folder.file("box.db"));
    for (int from = 0; from < kMessages; from += 1000) {
      must(store.transaction([&](Tx& tx) {
        for (int n = from; n < from + 1000; ++n) {
          OutboxRow row;
          row.id = MessageId(std::to_string(n));
          row.topic = "welcome/v1/demo/aroma-1/box-1/event";
          row.payload = std::string(600, 'p');
          row.customer = CustomerId(customer(n % 1000));
          tx.outbox().enqueue(row);
        }
      }));
      must(store.maintain(at(0)));
    }
    state.ResumeTiming();
    int drained = 0;
    while (true) {
      const auto rows = must(store.outbox().take(Link::uplink, 500, at(0)));
      if (rows.empty()) break;
      std::vector<std::int64_t> numbers;
      for (const auto& row : rows) numbers.push_back(row.row);
      drained += static_cast<int>(
          must(store.transaction([&](Tx& tx) { return tx.outbox().remove_rows(numbers); })));
      must(store.maintain(at(0)));
    }
    if (drained != kMessages) state.SkipWithError("messages were lost");
  }
  state.counters["messages_per_s"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * kMessages, benchmark::Counter::kIsRate);
}
BENCHMARK(OutboxDrain)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);

// Forgetting one of 100,000: key, rows, log, and the search through the file.
void Erase(benchmark::State& state) {
  const Folder folder;
  Store store = open(folder.file("box.db"));
  fill(store, Collection::profiles, kCustomers);
  fill(store, Collection::consents, kCustomers);
  std::vector<double> times;
  int n = 0;
  for (auto _ : state) {
    const auto begin = Clock::now();
    const auto receipt = must(
        store.erasure().erase(CustomerId(customer(n * 997)), MessageId(std::to_string(n)), at(0)));
    times.push_back(micros_since(begin));
    if (!receipt.bytes_gone) state.SkipWithError("bytes stayed");
    ++n;
  }
  report_percentiles(state, times);
}
BENCHMARK(Erase)->Iterations(50)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace welcome::store
