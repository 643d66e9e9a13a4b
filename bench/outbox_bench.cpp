// SPDX-License-Identifier: Apache-2.0
// The outbox against mosquitto_pub: the same events to the same mosquitto, in one run. The box is
// the real engine, store and link; a CRM beside it says `taken` for all that comes, as fast as it
// comes.

#include <atomic>
#include <benchmark/benchmark.h>
#include <condition_variable>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <fstream>
#include <future>
#include <mutex>
#include <sys/resource.h>
#include <variant>

#include "contract/digest.h"
#include "contract/topics.h"
#include "harness/bench_box.h"
#include "sync/link.h"
#include "tests/integration/link_broker.h"

namespace welcome {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using contract::LinkName;

constexpr int kEvents = 20'000;
constexpr int kCustomers = 2'000;
constexpr auto kTick = 50ms;  // as the daemon's

contract::Message event(int n) {
  contract::VisitNews visit;
  visit.visit = VisitId("v-" + std::to_string(n));
  visit.zone = Zone::door;
  return encode_event(test::bench_address, {MessageId(contract::new_uuid()),
                                            test::kStart,
                                            CustomerId("c-" + std::to_string(n % kCustomers)),
                                            visit,
                                            {}});
}

// Events of links, for one thread that waits for them.
class Inbox {
 public:
  void put(sync::LinkEvent event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    changed_.notify_one();
  }
  std::deque<sync::LinkEvent> wait() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, 50ms, [&] { return !events_.empty(); });
    return std::exchange(events_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<sync::LinkEvent> events_;
};

// Says what it takes, before all else, and that its consents are what the box has: none.
class Crm {
 public:
  explicit Crm(std::uint16_t port) : link_(config(port), [this](auto e, auto) { on(e); }) {
    link_.start();
    up_.get_future().wait();
  }

  int count() const { return count_; }

 private:
  static sync::LinkConfig config(std::uint16_t port) {
    sync::LinkConfig config;
    config.port = port;
    config.client_id = "crm";
    config.subscriptions = {test::box_prefix + "hello", test::box_prefix + "event"};
    config.queue = kEvents;
    return config;
  }
  void on(const sync::LinkEvent& event) {
    if (std::holds_alternative<sync::LinkUp>(event)) up_.set_value();
    const auto* message = std::get_if<contract::RawMessage>(&event);
    if (message == nullptr) return;
    if (message->topic.ends_with("/hello")) {
      say(contract::Taken{});
      contract::FeedBatch consents;
      consents.collection = contract::Collection::consents;
      consents.epoch = "e1";
      consents.snapshot = true;
      consents.part = consents.parts = 1;
      consents.digest = contract::Digest().hex();
      (void)link_.publish(encode_feed(test::bench_address, consents), 1);
      return;
    }
    const auto at = message->payload.find(R"("id":")") + 6;
    taken_.ids.emplace_back(message->payload.substr(at, message->payload.find('"', at) - at));
    ++count_;
    if (taken_.ids.size() >= 50 || count_ == kEvents) say(std::exchange(taken_, {}));
  }
  void say(const contract::Taken& taken) {
    (void)link_.publish(encode_taken(test::bench_address, taken), 1);
  }

  contract::Taken taken_;
  std::atomic<int> count_ = 0;
  std::promise<void> up_;
  sync::Link link_;  // last: its thread ends before what it writes to
};

// The box's side of the links: the uplink is real, nothing else of the world is there.
class World : public test::FakeWorld {
 public:
  bool publish(contract::Message message, std::int64_t tag,
               std::optional<std::chrono::seconds> expiry) override {
    return uplink->publish(std::move(message), tag, expiry);
  }
  sync::Link* uplink = nullptr;
};

Now now_of(Clock::time_point begin) {
  const auto since = Clock::now() - begin;
  return {MonoTime{std::chrono::duration_cast<MonoClock::duration>(since)},
          test::kStart + std::chrono::duration_cast<std::chrono::milliseconds>(since), true};
}

double clock_us(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

// Of programs that have ended.
double children_us() {
  rusage used{};
  getrusage(RUSAGE_CHILDREN, &used);
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return us(used.ru_utime) + us(used.ru_stime);
}

// Processor time is of an event, and without the broker's, which has the same to do in both.
struct Drained {
  double per_s = 0;
  double engine_us = 0;  // the engine's thread alone
  double all_us = 0;     // with the CRM's
};

Drained by_the_box(std::uint16_t port) {
  const testing::TempDir dir;
  store::BoxKey key;
  key.fill(7);
  auto store = store::Store::open((dir / "welcomed.db").string(), key);
  if (!store) throw std::runtime_error(store.error().message);
  const auto filled = store->transaction([&](store::Tx& tx) {
    for (int n = 0; n < kEvents; ++n) {
      const auto message = event(n);
      store::OutboxRow row;
      static_cast<Envelope&>(row) = static_cast<const Envelope&>(message);
      row.id = message.id;
      row.customer = message.customer;
      row.kind = OutboxKind::visit;
      row.ref = std::to_string(n);
      row.created = test::kStart;
      tx.outbox().enqueue(row);
    }
  });
  if (!filled) throw std::runtime_error(filled.error().message);

  Crm crm(port);
  Inbox inbox;
  sync::LinkConfig config;
  config.port = port;
  config.client_id = "box-1";
  const auto topics = contract::Subscriptions::box_uplink(test::bench_address);
  config.subscriptions.assign(topics.begin(), topics.end());
  sync::Link link(config, [&](auto e, auto) { inbox.put(std::move(e)); });
  World world;
  world.uplink = &link;
  const auto begin = Clock::now();
  world.now = [&] { return now_of(begin).mono; };
  world.time = [&] {
    ClockState state;
    state.now = now_of(begin);
    return state;
  };
  world.hear_time = [](const ClockWord&) {};
  test::CountingIds ids;
  daemon::EngineSettings settings;
  settings.box = test::bench_address;
  settings.version = "bench";
  daemon::Engine engine(settings, *store, world, ids, now_of(begin));
  link.start();
  const auto done = [&] { return crm.count() >= kEvents && store->outbox().count()->uplink == 0; };
  std::optional<Clock::time_point> first;
  double engine_us = 0, all_us = 0;
  Clock::time_point next_tick;
  while (!done()) {
    for (auto& event : inbox.wait()) {
      if (!first && std::holds_alternative<sync::Acked>(event)) {
        first = Clock::now();
        engine_us = clock_us(CLOCK_THREAD_CPUTIME_ID);
        all_us = clock_us(CLOCK_PROCESS_CPUTIME_ID);
      }
      engine.handle(daemon::input::FromLink{LinkName::uplink, std::move(event), {}}, now_of(begin));
    }
    if (const auto now = Clock::now(); now >= next_tick) {
      engine.tick(now_of(begin));
      next_tick = now + kTick;
    }
    if (Clock::now() - begin > 120s) throw std::runtime_error("the outbox does not drain");
  }
  return {kEvents / std::chrono::duration<double>(Clock::now() - *first).count(),
          (clock_us(CLOCK_THREAD_CPUTIME_ID) - engine_us) / kEvents,
          (clock_us(CLOCK_PROCESS_CPUTIME_ID) - all_us) / kEvents};
}

Drained by_mosquitto_pub(std::uint16_t port) {
  const testing::TempDir dir;
  {
    std::ofstream lines(dir / "events");
    for (int n = 0; n < kEvents; ++n) lines << event(n).payload << '\n';
  }
  const Crm crm(port);
  const std::string command = "mosquitto_pub -V 5 -p " + std::to_string(port) + " -q 1 -l -t '" +
                              test::box_prefix + "event' < " + (dir / "events").string();
  const auto begin = Clock::now();
  const double used = clock_us(CLOCK_PROCESS_CPUTIME_ID) + children_us();
  if (std::system(command.c_str()) != 0) throw std::runtime_error("mosquitto_pub failed");
  return {kEvents / std::chrono::duration<double>(Clock::now() - begin).count(), 0,
          (clock_us(CLOCK_PROCESS_CPUTIME_ID) + children_us() - used) / kEvents};
}

void outbox_against_mosquitto_pub(benchmark::State& state) {
  if (!testing::Broker::installed()) {
    state.SkipWithError("mosquitto is not installed");
    return;
  }
  const testing::Broker broker(
      "allow_anonymous true\nmax_inflight_messages 200\nmax_queued_messages 0\n");
  Drained box, pub;
  for (auto _ : state) {
    pub = by_mosquitto_pub(broker.port());
    box = by_the_box(broker.port());
  }
  state.counters["outbox_per_s"] = box.per_s;
  state.counters["outbox_engine_us"] = box.engine_us;
  state.counters["outbox_all_us"] = box.all_us;
  state.counters["mosquitto_pub_per_s"] = pub.per_s;
  state.counters["mosquitto_pub_all_us"] = pub.all_us;
  state.counters["ratio"] = box.per_s / pub.per_s;
}
BENCHMARK(outbox_against_mosquitto_pub)->Iterations(1)->UseRealTime();

}  // namespace
}  // namespace welcome
