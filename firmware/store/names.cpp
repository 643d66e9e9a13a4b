// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/names.h"

#include <algorithm>
#include <iterator>

namespace welcome::store {

namespace {

constexpr std::size_t kWaitingMost = 32'768;  // some 3 MB
constexpr std::size_t kMovedAtOnce = 512;
// Set as long as some wait, by the transaction of the first and of the last of them.
constexpr std::string_view kMark = "store:names_wait";

CustomerHash hash_of(std::string_view name) {
  CustomerHash hash{};
  std::copy_n(name.begin(), std::min(name.size(), hash.size()), hash.begin());
  return hash;
}

}  // namespace

bool Names::left_behind() { return db_.query("SELECT 1 FROM meta WHERE name = ?", kMark).step(); }

void Names::recover() {
  db_.run(
      "INSERT INTO feed_name (part, key_hash, item) SELECT part, key_hash, id FROM feed_item WHERE "
      "true"
      " ORDER BY part, key_hash ON CONFLICT DO NOTHING");
  db_.run("DELETE FROM meta WHERE name = ?", kMark);
}

std::optional<std::int64_t> Names::find(std::int64_t part, std::string_view name) {
  if (!waiting_.empty()) {
    const auto waits = waiting_.find({part, hash_of(name)});
    if (waits != waiting_.end()) return waits->second;
  }
  auto s =
      db_.query("SELECT item FROM feed_name WHERE part = ? AND key_hash = ?", part, Blob{name});
  if (!s.step()) return std::nullopt;
  return s.int64(0);
}

void Names::for_each(std::int64_t part, const std::function<void(std::string_view)>& fn) {
  auto s = db_.query("SELECT key_hash FROM feed_name WHERE part = ?", part);
  while (s.step()) fn(s.blob(0));
  for (auto it = waiting_.lower_bound({part, {}}); it != waiting_.end() && it->first.first == part;
       ++it) {
    fn(view(it->first.second));
  }
}

void Names::put(std::int64_t part, const CustomerHash& name, std::int64_t item) {
  if (db_.durable() == Durable::now) return write({part, name}, item);
  if (waiting_.empty()) db_.run("INSERT OR IGNORE INTO meta (name, value) VALUES (?, '1')", kMark);
  set({part, name}, item);
  grew_ = true;
}

void Names::remove(std::int64_t part, std::string_view name) {
  set({part, hash_of(name)}, std::nullopt);
  db_.run("DELETE FROM feed_name WHERE part = ? AND key_hash = ?", part, Blob{name});
}

void Names::set(const Key& key, std::optional<std::int64_t> item) {
  if (item) {
    const auto [waits, is_new] = waiting_.try_emplace(key, *item);
    undo_.emplace_back(key, is_new ? std::nullopt : std::optional(waits->second));
    waits->second = *item;
  } else if (const auto waits = waiting_.find(key); waits != waiting_.end()) {
    undo_.emplace_back(key, waits->second);
    waiting_.erase(waits);
  }
}

void Names::rolled_back() {
  std::for_each(undo_.rbegin(), undo_.rend(), [this](const auto& before) {
    if (before.second) {
      waiting_[before.first] = *before.second;
    } else {
      waiting_.erase(before.first);
    }
  });
  undo_.clear();
}

void Names::write(const Key& key, std::int64_t item) {
  db_.run("INSERT INTO feed_name (part, key_hash, item) VALUES (?, ?, ?)", key.first,
          Blob{view(key.second)}, item);
}

// Round and round: neighbours in the table are written together.
void Names::move(std::size_t count) {
  for (auto it = waiting_.lower_bound(next_); count > 0 && !waiting_.empty(); --count) {
    if (it == waiting_.end()) it = waiting_.begin();
    const auto [key, item] = *it;
    write(key, item);
    next_ = key;
    ++it;
    set(key, std::nullopt);
  }
  if (waiting_.empty()) db_.run("DELETE FROM meta WHERE name = ?", kMark);
}

void Names::settle() {
  if (waiting_.size() > kWaitingMost) move(waiting_.size() - kWaitingMost);
}

void Names::tidy() {
  if (!std::exchange(grew_, false)) move(kMovedAtOnce);
}

}  // namespace welcome::store
