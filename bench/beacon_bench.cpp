// SPDX-License-Identifier: Apache-2.0
// The radio's hot paths with 100,000 enrolled customers, each with an Eddystone-EID and an IRK.

#include <benchmark/benchmark.h>
#include <ctime>
#include <random>
#include <vector>

#include "beacon/hci_events.h"
#include "beacon/tracker.h"

namespace {

using namespace welcome;
using namespace welcome::beacon;

constexpr std::uint32_t kCustomers = 100'000;
constexpr WallTime kStart{std::chrono::milliseconds{1'800'000'000'000}};

Block key_of(std::uint32_t n) {
  Block key{};
  for (auto& b : key) b = static_cast<std::uint8_t>((n = n * 1664525U + 1013904223U) >> 24U);
  return key;
}

std::vector<IdentityKey> everybody() {
  std::vector<IdentityKey> out;
  for (std::uint32_t i = 0; i < kCustomers; ++i) {
    for (const auto kind : {IdentityKind::eddystone_eid, IdentityKind::irk}) {
      IdentityKey key;
      key.identity = (kind == IdentityKind::irk ? "r-" : "e-") + std::to_string(i);
      key.customer = CustomerId("customer-" + std::to_string(i));
      key.kind = kind;
      key.key = key_of(i);
      key.rotation_exponent = 10;
      key.clock_zero = kStart - std::chrono::hours{1000} - std::chrono::seconds{i % 1024};
      out.push_back(std::move(key));
    }
  }
  return out;
}

Now now_at(std::chrono::microseconds t) {
  return {MonoTime{t + std::chrono::hours{1}},
          kStart + std::chrono::floor<std::chrono::milliseconds>(t), true};
}

Address resolvable_address(const Block& key, std::uint32_t prand) {
  Block in{};
  in[13] = static_cast<std::uint8_t>(((prand >> 16U) & 0x3FU) | 0x40U);
  in[14] = static_cast<std::uint8_t>(prand >> 8U);
  in[15] = static_cast<std::uint8_t>(prand);
  const Block out = Aes128(key).encrypt(in);
  return {in[13], in[14], in[15], out[13], out[14], out[15]};
}

struct Store {
  Tracker tracker;
  std::vector<std::vector<std::uint8_t>> events;  // HCI events of one report each
  Store() {
    tracker.set_identities(everybody(), now_at({}));
    for (int i = 0; i < 2000; ++i) tracker.tick(now_at({}));
    make_events();
  }

  // 4,096 adverts of 600 devices; one in twenty is a customer's.
  void make_events() {
    std::mt19937 engine(1);
    const auto dice = [&] { return static_cast<std::uint32_t>(engine()); };
    const auto put = [&](std::vector<std::uint8_t> ad, const Address& address) {
      std::vector<std::uint8_t> e{0x3E, 0, 0x02, 1, 0, 1};
      e.insert(e.end(), address.rbegin(), address.rend());
      e.push_back(static_cast<std::uint8_t>(ad.size()));
      e.insert(e.end(), ad.begin(), ad.end());
      e.push_back(static_cast<std::uint8_t>(-50 - static_cast<int>(dice() % 45)));
      e[1] = static_cast<std::uint8_t>(e.size() - 2);
      events.push_back(std::move(e));
    };
    const auto noise = [&](std::vector<std::uint8_t> head, std::size_t total) {
      while (head.size() < total) head.push_back(static_cast<std::uint8_t>(dice()));
      return head;
    };
    for (int i = 0; i < 4096; ++i) {
      const std::uint32_t device = dice() % 600;
      Address address = resolvable_address(key_of(kCustomers + device), device);
      if (i % 40 == 0) {
        const std::uint32_t who = dice() % 500;
        const auto time = static_cast<std::uint32_t>(3'600'000 + who % 1024);
        const Eid eid = eddystone_eid(key_of(who), 10, time);
        std::vector<std::uint8_t> ad{0x02, 0x01, 0x06, 0x03, 0x03, 0xAA, 0xFE,
                                     0x0D, 0x16, 0xAA, 0xFE, 0x30, 0xEE};
        ad.insert(ad.end(), eid.begin(), eid.end());
        address[0] = static_cast<std::uint8_t>(address[0] & 0x3FU);
        put(std::move(ad), address);
      } else if (i % 40 == 20) {
        put({0x02, 0x01, 0x06}, resolvable_address(key_of(dice() % 500), 7));
      } else if (device % 10 < 5) {
        put(noise({0x02, 0x01, 0x1A, 0x02, 0x0A, 0x0C, 0x0A, 0xFF, 0x4C, 0x00, 0x10, 0x05}, 17),
            address);
      } else if (device % 10 < 7) {
        put(noise({0x02, 0x01, 0x1A, 0x0B, 0x16, 0x2C, 0xFE}, 15), address);
      } else if (device % 10 < 8) {
        put(noise({0x02, 0x01, 0x06, 0x0D, 0x16, 0xAA, 0xFE, 0x30, 0x00}, 17), address);
      } else {
        address[0] = static_cast<std::uint8_t>(address[0] | 0xC0U);
        put(noise({0x02, 0x01, 0x06, 0x11, 0x07}, 21), address);
      }
    }
  }
};

Store& store() {
  static Store one;
  return one;
}

// Parse + resolve + range + zone, one core. items = reports.
void Reports(benchmark::State& state) {
  Store& s = store();
  std::vector<AdvertReport> reports;
  HciReportCounters counters;
  std::chrono::microseconds t{std::chrono::seconds{1}};
  // First sight of the strangers is measured below.
  for (int round = 0; round < 20; ++round) {
    t += std::chrono::seconds{10};
    for (const auto& event : s.events) {
      reports.clear();
      parse_advertising_event(event, {}, reports, counters);
      for (const auto& r : reports) s.tracker.handle(r, now_at(t));
    }
  }
  std::size_t i = 0;
  std::uint64_t identified = s.tracker.counters().identified;
  std::uint64_t all = s.tracker.counters().reports;
  for (auto _ : state) {
    reports.clear();
    parse_advertising_event(s.events[i++ % s.events.size()], {}, reports, counters);
    t += std::chrono::microseconds{385};
    for (const auto& r : reports) benchmark::DoNotOptimize(s.tracker.handle(r, now_at(t)));
    if (t > std::chrono::seconds{1000}) t = std::chrono::seconds{300};
  }
  state.SetItemsProcessed(state.iterations());
  identified = s.tracker.counters().identified - identified;
  all = s.tracker.counters().reports - all;
  state.counters["identified_share"] = static_cast<double>(identified) / static_cast<double>(all);
  state.counters["MB"] = static_cast<double>(s.tracker.bytes()) / 1e6;
}
BENCHMARK(Reports);

// First sight of a stranger's resolvable address: tried against every IRK.
void NewAddress(benchmark::State& state) {
  ResolverConfig config;
  config.key_tries_per_second = 4'000'000'000U;
  Resolver resolver(config);
  auto keys = everybody();
  std::erase_if(keys, [](const auto& k) { return k.kind != IdentityKind::irk; });
  resolver.set(std::move(keys), now_at({}));
  AdvertReport report;
  report.address_type = AddressType::random_device;
  std::uint32_t n = 0;
  for (auto _ : state) {
    ++n;
    report.address = {0x40,
                      static_cast<std::uint8_t>(n >> 16U),
                      static_cast<std::uint8_t>(n >> 8U),
                      static_cast<std::uint8_t>(n),
                      0xFF,
                      0xFF};
    AdvertType type{};
    benchmark::DoNotOptimize(resolver.resolve(report, now_at(std::chrono::seconds{n}), type));
  }
}
BENCHMARK(NewAddress)->Unit(benchmark::kMillisecond);

// This thread's own time: other programs must not count.
double cpu_ms() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

// One tick's slice of the key windows while every identity has a new one to compute.
void RefreshSlice(benchmark::State& state) {
  Store& s = store();
  std::chrono::microseconds t{std::chrono::seconds{2000}};
  double worst_ms = 0;
  for (auto _ : state) {
    t += std::chrono::seconds{100};
    const double begin = cpu_ms();
    benchmark::DoNotOptimize(s.tracker.tick(now_at(t)));
    worst_ms = std::max(worst_ms, cpu_ms() - begin);
  }
  state.counters["worst_ms"] = worst_ms;
}
BENCHMARK(RefreshSlice)->Unit(benchmark::kMillisecond)->Iterations(2000);

}  // namespace
