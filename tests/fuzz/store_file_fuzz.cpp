// SPDX-License-Identifier: Apache-2.0
// A database file whose bytes were changed on the disk. The input is a list of changes to a good
// file: three bytes of offset (little-endian, modulo the size) and one byte of value each.

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>

#include "firmware/store/store.h"

namespace {

namespace fs = std::filesystem;
using namespace welcome;
using namespace welcome::store;

struct Bench {
  Bench() {
    std::string pattern = (fs::temp_directory_path() / "store-fuzz-XXXXXX").string();
    if (!mkdtemp(pattern.data())) std::abort();
    folder = pattern;
    key.fill(7);
    {
      auto store = Store::open(path(), key);
      if (!store) std::abort();
      const CustomerId who("c-1");
      FeedChange item;
      item.item = {"c-1", who, 1, "{}", "brief"};
      OutboxRow row;
      row.id = MessageId("m");
      row.topic = "topic";
      row.customer = who;
      const auto filled = store->transaction([&](Tx& tx) {
        tx.replica().apply(Collection::profiles, FeedState{"e", 1, {}}, std::vector{item});
        tx.journal().put_visit({VisitId("v"), who, WallTime{}, {}, "{}"});
        tx.journal().put_state({StateRow::Kind::facts, "c-1", who, "facts"}, WallTime{});
        tx.outbox().enqueue(row);
        tx.audit().append({}, "a", "box", who, "");
      });
      if (!filled) std::abort();
    }
    std::ifstream in(path(), std::ios::binary);
    good.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  ~Bench() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  std::string path() const { return (folder / "box.db").string(); }

  fs::path folder;
  BoxKey key{};
  std::string good;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Bench bench;
  std::string bad = bench.good;
  for (std::size_t at = 0; at + 4 <= size; at += 4) {
    const std::size_t offset =
        data[at] | (std::size_t{data[at + 1]} << 8U) | (std::size_t{data[at + 2]} << 16U);
    bad[offset % bad.size()] = static_cast<char>(data[at + 3]);
  }
  for (const auto& entry : fs::directory_iterator(bench.folder)) fs::remove(entry.path());
  std::ofstream(bench.path(), std::ios::binary) << bad;

  auto store = Store::open(bench.path(), bench.key);
  // Refusing is fine: the version or the key check may be what was changed.
  if (!store) return 0;
  const Now now;
  (void)store->replica().load(Collection::profiles, [](ReplicaItem&&) {});
  (void)store->replica().load_briefs(Collection::profiles, [](ReplicaItem&&) {});
  (void)store->journal().visits(10);
  (void)store->journal().states();
  (void)store->journal().facts(CustomerId("c-1"));
  (void)store->outbox().take(Link::uplink, 10, now);
  (void)store->audit().verify();
  (void)store->erasure().export_person(CustomerId("c-1"), now);
  (void)store->erasure().erase(CustomerId("c-1"), MessageId("r"), now);
  (void)store->maintain(now);
  return 0;
}
