// SPDX-License-Identifier: Apache-2.0
// Pull the plug at every change to the disk of a busy day: what was acknowledged is there, what was
// under way is there wholly or not at all.
//
// By default a sample of the points, so that it runs with every build; WELCOME_POWER_ALL=1 runs
// all, and cuts the power again during the recovery.

#include <cstdlib>
#include <gtest/gtest.h>
#include <random>
#include <set>

#include "tests/power/power_vfs.h"
#include "tests/power/scenario.h"
#include "tests/unit/store/fixture.h"

namespace welcome::test {
namespace {

using namespace welcome::store;

constexpr int kSample = 60;

Result<Store> open(const TempDir& dir, const PowerVfs& vfs) {
  StoreOptions options;
  options.vfs = vfs.name();
  return Store::open(dir.file("box.db"), test_key(), options);
}

struct Reference {
  std::vector<std::string> after;  // after[i]: description once i steps are done
  std::int64_t operations = 0;
  std::int64_t to_open = 0;
};

Reference play_undisturbed() {
  Reference reference;
  TempDir dir;
  PowerVfs vfs("power-reference");
  auto store = open(dir, vfs);
  if (!store) throw std::runtime_error(store.error().message);
  reference.to_open = vfs.operations();
  reference.after.push_back(describe(*store));
  for (const auto& step : busy_day()) {
    if (!step.run(*store))
      throw std::runtime_error(std::string("failed undisturbed: ") + step.name);
    reference.after.push_back(describe(*store));
  }
  { const Store closing = std::move(*store); }
  reference.operations = vfs.operations();
  return reference;
}

// How many steps were acknowledged before the power went.
std::size_t play_until_cut(const TempDir& dir, PowerVfs& vfs) {
  auto store = open(dir, vfs);
  if (!store) return 0;
  std::size_t done = 0;
  for (const auto& step : busy_day()) {
    if (!step.run(*store)) break;
    ++done;
  }
  return done;
}

void expect_promise_kept(const Reference& reference, std::int64_t cut, bool twice) {
  SCOPED_TRACE("power cut at operation " + std::to_string(cut));
  TempDir dir;
  PowerVfs vfs("power");
  vfs.cut_at(cut);
  const std::size_t done = play_until_cut(dir, vfs);
  ASSERT_TRUE(vfs.is_cut());
  vfs.restore(static_cast<std::uint64_t>(cut));

  if (twice) {
    vfs.cut_at(vfs.operations() + 1 + cut % 7);
    { auto interrupted = open(dir, vfs); }
    vfs.restore(static_cast<std::uint64_t>(cut) + 1);
  }

  auto store = open(dir, vfs);
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_FALSE(store->open_report().set_aside) << store->open_report().set_aside_why;
  const std::string found = describe(*store);
  ASSERT_FALSE(found.empty());
  const std::string& before = reference.after[done];
  const std::string& after = reference.after[std::min(done + 1, reference.after.size() - 1)];
  if (found != before && found != after) {
    // The one that is nearer tells more.
    EXPECT_EQ(found, found.size() > before.size() ? after : before) << "after " << done << " steps";
  }
  EXPECT_TRUE(store->transaction([&](Tx& tx) { return tx.registers().put("usable", "yes"); }));
}

TEST(StorePower, KeepsEveryPromiseWhereverThePlugIsPulled) {
  const Reference reference = play_undisturbed();
  ASSERT_GT(reference.operations, 200);
  const bool all = std::getenv("WELCOME_POWER_ALL") != nullptr;
  if (all) {
    for (std::int64_t cut = 1; cut < reference.operations; ++cut) {
      expect_promise_kept(reference, cut, false);
      expect_promise_kept(reference, cut, true);
      if (HasFailure()) return;
    }
    return;
  }
  std::mt19937_64 random(20260502);
  for (int i = 0; i < kSample; ++i) {
    const auto cut = static_cast<std::int64_t>(
        1 + random() % static_cast<std::uint64_t>(reference.operations - 1));
    expect_promise_kept(reference, cut, i % 3 == 0);
    if (HasFailure()) return;
  }
}

// Another box key: until its commit the old one opens the file, after it the new one, and nobody
// who gives both need know which it is.
TEST(StorePower, ABoxKeyIsChangedWhereverThePlugIsPulled) {
  std::string whole;
  const auto cut_at = [&](std::int64_t cut) {
    TempDir dir;
    PowerVfs vfs("power-key");
    {
      auto store = open(dir, vfs);
      for (const auto& step : busy_day()) EXPECT_TRUE(step.run(*store)) << step.name;
      whole = describe(*store);
    }
    StoreOptions options;
    options.vfs = vfs.name();
    options.next_key = test_key(8);
    const std::int64_t before = vfs.operations();
    if (cut > 0) vfs.cut_at(before + cut);
    { const auto interrupted = Store::open(dir.file("box.db"), test_key(), options); }
    const std::int64_t operations = vfs.operations() - before;
    vfs.restore(static_cast<std::uint64_t>(cut));
    auto store = Store::open(dir.file("box.db"), test_key(), options);
    EXPECT_TRUE(store) << store.error().message;
    if (!store) return operations;
    EXPECT_FALSE(store->open_report().set_aside) << store->open_report().set_aside_why;
    EXPECT_EQ(describe(*store), whole);
    EXPECT_TRUE(store->audit().verify()->intact);
    return operations;
  };
  const std::int64_t operations = cut_at(0);
  ASSERT_GT(operations, 5);
  const bool all = std::getenv("WELCOME_POWER_ALL") != nullptr;
  const std::int64_t step = all ? 1 : std::max<std::int64_t>(operations / 40, 1);
  for (std::int64_t cut = 1; cut <= operations; cut += step) {
    SCOPED_TRACE("power cut at operation " + std::to_string(cut));
    cut_at(cut);
    if (testing::Test::HasFailure()) return;
  }
}

// What may be durable later: three commits, of which only the second is promised at once. Wherever
// the plug is pulled the file is whole and has the first so many, and the promised one with all
// before it.
TEST(StorePower, WhatIsDurableLaterIsThereWithTheNextPromise) {
  const auto play = [](Store& store, std::size_t& promised) {
    const auto commit = [&](const char* name, Durable durable) {
      return bool(store.transaction([&](Tx& tx) { tx.registers().put(name, "yes"); }, durable));
    };
    if (commit("a", Durable::later) && commit("b", Durable::now)) promised = 2;
    (void)commit("c", Durable::later);
  };
  const auto count = [](Store& store) {
    std::size_t n = 0;
    bool gap = false;
    for (const char* name : {"a", "b", "c"}) {
      const bool here = store.registers().get(name).value_or(std::nullopt).has_value();
      EXPECT_FALSE(here && gap) << name << " without what came before it";
      gap = !here;
      n += here ? 1 : 0;
    }
    return n;
  };
  // Plays it with the plug pulled at that operation (0: not at all) and counts what is there then.
  const auto cut_at = [&](std::int64_t cut, std::uint64_t seed, std::int64_t& operations) {
    TempDir dir;
    PowerVfs vfs("power-later");
    std::size_t promised = 0;
    {
      auto store = open(dir, vfs);
      const std::int64_t opened = vfs.operations();
      if (cut > 0) vfs.cut_at(opened + cut);
      play(*store, promised);
      operations = vfs.operations() - opened;
    }
    vfs.restore(seed);
    auto store = open(dir, vfs);
    EXPECT_FALSE(store->open_report().set_aside);
    const std::size_t n = count(*store);
    EXPECT_GE(n, promised);
    return n;
  };
  std::int64_t operations = 0;
  EXPECT_EQ(cut_at(0, 0, operations), 3U);
  std::set<std::size_t> found;
  for (std::int64_t cut = 1, ignored = 0; cut <= operations; ++cut) {
    for (const std::uint64_t seed : {1U, 2U, 3U, 4U}) {
      SCOPED_TRACE("power cut at operation " + std::to_string(cut));
      found.insert(cut_at(cut, seed, ignored));
    }
  }
  EXPECT_GE(found.size(), 2U) << "the plug was pulled before and after the promise";
}

// Names of a first snapshot's items are written later than the items. Wherever the plug is pulled,
// each item that is there is found by its name.
TEST(StorePower, ItemsAreFoundByNameWhereverThePlugIsPulled) {
  constexpr int kItems = 700;  // more than are written in a turn
  const auto play = [](Store& store) {
    std::vector<FeedChange> changes;
    for (int n = 0; n < kItems; ++n) {
      changes.push_back(put("k" + std::to_string(n), n + 1));
      changes.back().fresh = true;
    }
    const auto part = [&](int first, int count, Durable durable) {
      return store.transaction(
          [&](Tx& tx) {
            tx.replica().apply(Collection::campaigns, std::nullopt,
                               std::span(changes).subspan(first, count));
          },
          durable);
    };
    if (!part(0, 300, Durable::later) || !part(300, 399, Durable::later)) return;
    for (int n = 0; n < 2; ++n) {
      if (!store.maintain(at())) return;
    }
    if (!part(699, 1, Durable::now)) return;
    (void)store.maintain(at());
  };
  const auto cut_at = [&](std::int64_t cut, std::uint64_t seed) {
    TempDir dir;
    PowerVfs vfs("power-names");
    std::int64_t operations = 0;
    {
      auto store = open(dir, vfs);
      const std::int64_t opened = vfs.operations();
      if (cut > 0) vfs.cut_at(opened + cut);
      play(*store);
      operations = vfs.operations() - opened;
    }
    if (cut > 0) vfs.restore(seed);
    auto store = open(dir, vfs);
    EXPECT_FALSE(store->open_report().set_aside);
    std::size_t here = 0, names = 0;
    EXPECT_TRUE(store->replica().load(Collection::campaigns, [&](ReplicaItem&& item) {
      ++here;
      EXPECT_EQ(*store->replica().seq_of(Collection::campaigns, item.key), item.seq);
    }));
    EXPECT_TRUE(
        store->replica().for_each_name(Collection::campaigns, [&](std::string_view) { ++names; }));
    EXPECT_EQ(names, here);
    if (cut == 0) {
      EXPECT_EQ(here, kItems);
    }
    return operations;
  };
  const std::int64_t operations = cut_at(0, 0);
  const std::int64_t step = std::max<std::int64_t>(1, operations / kSample);
  for (std::int64_t cut = 1; cut <= operations; cut += step) {
    SCOPED_TRACE("power cut at operation " + std::to_string(cut));
    cut_at(cut, static_cast<std::uint64_t>(cut));
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace welcome::test
