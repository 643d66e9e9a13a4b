// SPDX-License-Identifier: Apache-2.0
// Sync's hot paths: a feed batch from bytes to core structs, an event from core to bytes, and a
// line to a local mosquitto at QoS 1.

#include <benchmark/benchmark.h>
#include <condition_variable>
#include <mutex>

#include "contract/digest.h"
#include "contract/signed_text.h"
#include "contract/signing.h"
#include "sync/feed.h"
#include "sync/link.h"
#include "tests/integration/link_broker.h"

namespace welcome::sync {

using namespace contract;
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
  Digest digest;
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
    digest.toggle(item.key, item.seq);
    feed.items.push_back(std::move(item));
  }
  if (signer != nullptr) {
    feed.head = FeedHead{"demo", std::string(kScopeAll), feed.to_seq, digest.hex(), WallTime{}};
  }
  const Message message = encode_feed(kBox, feed, signer);
  return {message.topic, message.payload, false, "", ""};
}

class NothingYet : public ReplicaView {
 public:
  std::optional<std::uint64_t> seq_of(Collection, std::string_view) const override { return {}; }
  void for_each(Collection, const std::function<void(std::string_view)>&) const override {}
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

// What it adds to a batch of profiles that somebody signs it, and that the box checks that, as
// parts of what the box does with it before the store: both in one run.
void head_of_a_batch(benchmark::State& state) {
  using Clock = std::chrono::steady_clock;
  const Signer signer("k1", Signer::new_seed());
  KeyRing keys;
  keys.pin("k1", signer.public_key());
  const RawMessage plain = batch(Collection::profiles, nullptr);
  const RawMessage sent = batch(Collection::profiles, &signer);
  const NothingYet replica;
  FeedReceiver receiver(replica);
  receiver.load(Collection::profiles, Have{"e1", 0, std::string(32, '0')});
  Clock::duration applying{}, signing{}, checking{};
  const auto timed = [](Clock::duration& sum, const auto& what) {
    const auto begin = Clock::now();
    what();
    sum += Clock::now() - begin;
  };
  for (auto _ : state) {
    timed(applying, [&] {
      auto decoded = decode_for_box(kBox, plain);
      benchmark::DoNotOptimize(receiver.plan(std::get<FeedBatch>(std::move(*decoded))));
    });
    timed(signing, [&] { benchmark::DoNotOptimize(sign_text(signer, plain.payload)); });
    timed(checking, [&] {
      if (!verified_text(keys, sent.payload)) state.SkipWithError("not signed");
    });
  }
  const auto part = [&](Clock::duration of) {
    return 100.0 * static_cast<double>(of.count()) / static_cast<double>(applying.count());
  };
  state.counters["sign_percent"] = part(signing);
  state.counters["check_percent"] = part(checking);
}
BENCHMARK(head_of_a_batch)->Unit(benchmark::kMillisecond);

// What a round of heartbeats costs the CRM's processor, but for the packets: one of each
// collection.
void sign_heartbeats(benchmark::State& state) {
  const Signer signer("k1", Signer::new_seed());
  FeedBatch beat;
  beat.epoch = "e1";
  beat.from_seq = beat.to_seq = kItems;
  beat.digest = std::string(32, '0');
  beat.head = FeedHead{"demo", std::string(kScopeAll), kItems, beat.digest, WallTime{}};
  for (auto _ : state) {
    for (const Collection collection : kAllCollections) {
      beat.collection = collection;
      benchmark::DoNotOptimize(encode_feed({}, beat, &signer));
    }
  }
}
BENCHMARK(sign_heartbeats)->Unit(benchmark::kMicrosecond);

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

// 60,000 events, thirty days' worth at 2,000 a day, at QoS 1 on one line, 200 of them in flight.
// The daemon's outbox in front of it is measured by daemon_bench.
void link_to_mosquitto(benchmark::State& state) {
  if (!testing::Broker::installed()) {
    state.SkipWithError("mosquitto is not installed");
    return;
  }
  constexpr std::int64_t kMessages = 60'000;
  constexpr std::int64_t kWindow = 200;
  const testing::Broker broker("allow_anonymous true\nmax_inflight_messages 200\n");
  std::mutex mutex;
  std::condition_variable changed;
  std::int64_t acked = 0;
  bool up = false;
  LinkConfig config;
  config.port = broker.port();
  config.client_id = "box-1";
  Link link(config, [&](const LinkEvent& event, const Receipt&) {
    const std::lock_guard lock(mutex);
    if (std::holds_alternative<Acked>(event)) ++acked;
    if (std::holds_alternative<LinkUp>(event)) up = true;
    changed.notify_one();
  });
  link.start();
  std::unique_lock lock(mutex);
  if (!changed.wait_for(lock, 20s, [&] { return up; })) {
    state.SkipWithError("no connection");
    return;
  }
  std::vector<Message> messages;
  for (int i = 0; i < 1000; ++i) messages.push_back(event(i));
  for (auto _ : state) {
    acked = 0;
    for (std::int64_t sent = 0; acked < kMessages;) {
      while (sent < kMessages && sent - acked < kWindow &&
             link.publish(messages[static_cast<std::size_t>(sent) % messages.size()], sent + 1)) {
        ++sent;
      }
      const std::int64_t before = acked;
      if (!changed.wait_for(lock, 20s, [&] { return acked > before; })) {
        state.SkipWithError("the broker has stopped acknowledging");
        return;
      }
    }
  }
  state.SetItemsProcessed(state.iterations() * kMessages);
}
BENCHMARK(link_to_mosquitto)->Unit(benchmark::kMillisecond)->Iterations(1)->UseRealTime();

}  // namespace
}  // namespace welcome::sync
