// SPDX-License-Identifier: Apache-2.0
#pragma once
// A store in a directory of its own, and the little words the tests share.

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "firmware/store/store.h"

namespace welcome::store {

inline BoxKey test_key(std::uint8_t seed = 7) {
  BoxKey key{};
  key.fill(seed);
  return key;
}

inline WallTime wall(std::int64_t ms = 0) {
  return WallTime{std::chrono::milliseconds{1'780'000'000'000 + ms}};
}

inline Now at(std::int64_t ms = 0, bool trusted = true) {
  return {MonoTime{std::chrono::milliseconds{1'000'000 + ms}}, wall(ms), trusted};
}

class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "store-test-XXXXXX").string();
    if (!mkdtemp(pattern.data())) throw std::runtime_error("no temporary directory");
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  std::string file(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// Names of the files below `dir` that hold `text`.
inline std::vector<std::string> files_with(const std::filesystem::path& dir,
                                           const std::string& text) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    if (entry.is_regular_file() && bytes_of(entry.path()).find(text) != std::string::npos)
      found.push_back(entry.path().filename().string());
  }
  return found;
}

class StoreTest : public testing::Test {
 protected:
  void SetUp() override { reopen(); }

  void reopen() {
    store_.reset();
    auto opened = Store::open(path(), test_key());
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::make_unique<Store>(std::move(*opened));
  }
  void close() { store_.reset(); }
  std::string path() const { return dir_.file("box.db"); }
  Store& store() { return *store_; }

  TempDir dir_;
  std::unique_ptr<Store> store_;
};

inline FeedChange put(const std::string& key, std::int64_t seq, const std::string& customer = "",
                      const std::string& body = "{}") {
  FeedChange change;
  change.item = {key, CustomerId(customer), seq, body, ""};
  return change;
}

inline Result<ApplyReport> apply(Store& store, Collection collection, const std::string& epoch,
                                 std::int64_t seq, const std::vector<FeedChange>& changes) {
  return store.transaction([&](Tx& tx) {
    return tx.replica().apply(collection, FeedState{epoch, seq, {}}, changes);
  });
}

inline FeedChange erase(const std::string& key, std::int64_t seq) {
  FeedChange change;
  change.item.key = key;
  change.item.seq = seq;
  change.erase = true;
  return change;
}

inline OutboxRow message(const std::string& id, const std::string& customer,
                         std::uint8_t priority = 2) {
  OutboxRow row;
  row.id = MessageId(id);
  row.topic = "welcome/v1/demo/aroma-1/box-1/event";
  row.payload = "{\"id\":\"" + id + "\"}";
  row.customer = CustomerId(customer);
  row.priority = priority;
  row.kind = OutboxKind::visit;
  row.created = wall();
  return row;
}

inline std::vector<std::string> ids(const std::vector<OutboxRow>& rows) {
  std::vector<std::string> out;
  for (const auto& row : rows) out.push_back(row.id.str());
  return out;
}

}  // namespace welcome::store
