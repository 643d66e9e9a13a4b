// Sync's hot paths: a feed batch from bytes to core structs, an event from core to bytes, the
// drain's bookkeeping, and the drain of an outbox to a local mosquitto at QoS 1.

#include <benchmark/benchmark.h>
#include <condition_variable>
#include <mutex>

#include "sync/feed.h"
#include "sync/link.h"
#include "sync/outbox_drain.h"
#include "sync/signing.h"
#include "tests/integration/link_broker.h"

namespace welcome::sync {
namespace {

using namespace std::chrono_literals;

const BoxAddress kBox{"demo", "aroma-1", "box-1"};
constexpr int kItems = 1000;

std::string profile(int n) {
  const std::string id = "c-" + std::to_string(n);
  return R"({"customer":")" + id + R"(","name":"Paul Moreau","greeting":"Mr Moreau",)" +
         R"("pronunciation":"mo-ROH","language":"en","tier":"gold","points":1240,)" +
         R"("next_reward_points":1500,"preferences":[{"key":"drink","value":"sparkling water",)" +
         R"("confidence":0.9,"confirmed":2,"last_confirmed":"2026-05-04T08:15:30.250Z"}],)" +
         R"("segments":["regular"],"tags":[],"avoid":[]})";
}

std::string consent(int n) {
  const std::string id = std::to_string(n);
  return R"({"record_id":"r-)" + id + R"(","schema_version":"1","tenant":"demo","customer":"c-)" +
         id + R"(","purpose":"proximity_offers","notice":{"id":"n-1","version":"3",)" +
         R"("language":"en"},"data_categories":["ble_key"],"controller":"Aroma Ltd",)" +
         R"("storage_location":"box","retention_days":365,"jurisdiction":"EU","recipients":[],)" +
         R"("withdraw_how":"app","history":[{"state":"given","at":"2026-05-02T10:00:00.000Z",)" +
         R"("how":"app"}]})";
}

RawMessage batch(Collection collection, const Signer* signer) {
  FeedBatch feed;
  feed.collection = collection;
  feed.epoch = "e1";
  feed.to_seq = kItems;
  for (int i = 1; i <= kItems; ++i) {
    FeedItem item;
    item.seq = static_cast<std::uint64_t>(i);
    if (collection == Collection::profiles) {
      item.key = "c-" + std::to_string(i);
      item.value = profile(i);
    } else {
      item.key = "r-" + std::to_string(i);
      item.value = signer != nullptr ? *signer->sign(consent(i)) : consent(i);
    }
    feed.items.push_back(std::move(item));
  }
  const Message message = encode_feed(kBox, feed);
  return {message.topic, message.payload, false, "", ""};
}

class NothingYet : public ReplicaView {
 public:
  std::optional<std::uint64_t> seq_of(Collection, std::string_view) const override { return {}; }
  void for_each(Collection,
                const std::function<void(std::string_view, std::uint64_t)>&) const override {}
};

// From the bytes of a delta to a plan that the store can carry out.
void receive(benchmark::State& state, const RawMessage& raw, const KeyRing* keys,
             Collection collection) {
  const NothingYet replica;
  FeedReceiver receiver(replica);
  receiver.load(collection, Have{"e1", 0, std::string(32, '0')});
  for (auto _ : state) {
    auto decoded = decode_for_box(kBox, raw, keys);
    const FeedPlan plan = receiver.plan(std::get<FeedBatch>(std::move(*decoded)));
    if (plan.verdict != FeedVerdict::apply || !plan.items[0].error.empty()) {
      state.SkipWithError("the batch was not applied");
    }
  }
  state.SetItemsProcessed(state.iterations() * kItems);
}

void feed_profiles(benchmark::State& state) {
  receive(state, batch(Collection::profiles, nullptr), nullptr, Collection::profiles);
}
BENCHMARK(feed_profiles)->Unit(benchmark::kMillisecond);

void feed_consents(benchmark::State& state) {
  receive(state, batch(Collection::consents, nullptr), nullptr, Collection::consents);
}
BENCHMARK(feed_consents)->Unit(benchmark::kMillisecond);

void feed_signed_consents(benchmark::State& state) {
  const Signer signer("k1", Signer::new_seed());
  KeyRing keys;
  keys.pin("k1", signer.public_key());
  receive(state, batch(Collection::consents, &signer), &keys, Collection::consents);
}
BENCHMARK(feed_signed_consents)->Unit(benchmark::kMillisecond);

Message event(int n) {
  OfferNews offer{DecisionId("d-" + std::to_string(n)),
                  VisitId("v"),
                  CampaignId("k-espresso"),
                  "a",
                  "en",
                  "Your espresso is waiting",
                  "Hello Mr Moreau, today it is on the house.",
                  "ESP-10",
                  WallTime{}};
  return encode_event(
      kBox,
      {MessageId(new_uuid()), WallTime{}, CustomerId("c-" + std::to_string(n % 1000)), offer, {}});
}

void encode_an_event(benchmark::State& state) {
  int n = 0;
  for (auto _ : state) benchmark::DoNotOptimize(event(++n));
}
BENCHMARK(encode_an_event);

// An outbox in memory; the store has its own benchmark.
std::vector<OutboxRow> rows_after(const std::vector<OutboxRow>& all, const OutboxQuery& query) {
  const auto first = static_cast<std::size_t>(query.after);
  const auto last = std::min(all.size(), first + query.limit);
  return {all.begin() + static_cast<std::ptrdiff_t>(first),
          all.begin() + static_cast<std::ptrdiff_t>(last)};
}

std::vector<OutboxRow> outbox(int count) {
  std::vector<OutboxRow> rows;
  for (int i = 1; i <= count; ++i) {
    rows.push_back({i, event(i)});
    rows.back().message.priority = Priority::event;
    rows.back().message.expires_at.reset();
  }
  return rows;
}

void drain_bookkeeping(benchmark::State& state) {
  const auto all = outbox(10'000);
  for (auto _ : state) {
    OutboxDrain drain;
    drain.committed(Priority::event);
    drain.link_up(65535);
    for (std::size_t done = 0; done < all.size();) {
      if (const auto query = drain.next_query()) drain.add(*query, rows_after(all, *query));
      for (const OutboxRow& row : drain.take({})) {
        drain.acked(row.row);
        ++done;
      }
    }
  }
  state.SetItemsProcessed(state.iterations() * 10'000);
}
BENCHMARK(drain_bookkeeping)->Unit(benchmark::kMillisecond);

// 60,000 events, thirty days' worth at 2,000 a day, to a local mosquitto at QoS 1, one line.
void drain_to_mosquitto(benchmark::State& state) {
  if (!testing::Broker::installed()) {
    state.SkipWithError("mosquitto is not installed");
    return;
  }
  const testing::Broker broker("allow_anonymous true\nmax_inflight_messages 200\n");
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::int64_t> acked;
  std::size_t receive_maximum = 0;
  LinkConfig config;
  config.port = broker.port();
  config.client_id = "box-1";
  Link link(config, [&](const LinkEvent& event) {
    const std::lock_guard lock(mutex);
    if (const auto* ack = std::get_if<Acked>(&event)) acked.push_back(ack->tag);
    if (const auto* up = std::get_if<LinkUp>(&event)) receive_maximum = up->receive_maximum;
    changed.notify_one();
  });
  link.start();
  {
    std::unique_lock lock(mutex);
    if (!changed.wait_for(lock, 20s, [&] { return receive_maximum > 0; })) {
      state.SkipWithError("no connection");
      return;
    }
  }
  const auto all = outbox(60'000);
  for (auto _ : state) {
    OutboxDrain drain({.window = 200, .buffer = 600});
    drain.committed(Priority::event);
    drain.link_up(receive_maximum);
    for (std::size_t done = 0; done < all.size();) {
      while (const auto query = drain.next_query()) drain.add(*query, rows_after(all, *query));
      for (OutboxRow& row : drain.take({})) {
        if (!link.publish(std::move(row.message), row.row)) drain.retry(row.row, MonoTime{});
      }
      std::vector<std::int64_t> acks;
      {
        std::unique_lock lock(mutex);
        if (!changed.wait_for(lock, 20s, [&] { return !acked.empty(); })) {
          state.SkipWithError("the broker has stopped acknowledging");
          return;
        }
        acks.swap(acked);
      }
      for (const std::int64_t row : acks) done += drain.acked(row) ? 1 : 0;
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(all.size()));
}
BENCHMARK(drain_to_mosquitto)->Unit(benchmark::kMillisecond)->Iterations(1)->UseRealTime();

}  // namespace
}  // namespace welcome::sync
