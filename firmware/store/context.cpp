// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/context.h"

namespace welcome::store {

namespace {

constexpr std::size_t kCachedKeys = 4096;

}  // namespace

Context::Context(std::string file, const std::string& vfs,
                 std::span<const std::uint8_t, 32> box_key)
    : path(std::move(file)), sealer(box_key), db(path, vfs, false) {
  // Before it commits, while what it wrote can still fail as a whole.
  db.before_commit = [this] {
    sign_audit(*this);
    names.settle();
  };
  db.on_commit = [this] { names.committed(); };
  // What was made in a transaction that failed must not be used again.
  db.on_rollback = [this] {
    forget_keys();
    trail_end.reset();
    parts.fill(std::nullopt);
    first_waiting.fill({});
    names.rolled_back();
  };
}

std::int64_t Context::id_of(const CustomerId& customer) { return id_of(sealer.hash(customer)); }

std::int64_t Context::id_of(const CustomerHash& hash) {
  if (auto found = ids_.find(hash); found != ids_.end()) return found->second;
  if (const auto next = row_after_last(hash)) return *next->id;
  auto s = db.query("SELECT id FROM customer WHERE hash = ?", Blob{view(hash)});
  if (!s.step()) return 0;
  if (ids_.size() >= kCachedKeys) ids_.clear();
  return ids_.emplace(hash, s.int64(0)).first->second;
}

const Secret* Context::key_of(std::int64_t id) {
  if (id == 0) return &sealer.box_data_key();
  if (auto found = keys_.find(id); found != keys_.end()) return &found->second;
  auto s = db.query("SELECT hash, wrapped FROM customer WHERE id = ?", id);
  if (!s.step()) return nullptr;
  auto key = sealer.unwrap(s.blob(1), s.blob(0));
  if (!key) return nullptr;
  if (keys_.size() >= kCachedKeys) keys_.clear();
  return &keys_.emplace(id, *key).first->second;
}

std::optional<Context::Owner> Context::find_owner(const CustomerId& customer) {
  if (customer.empty()) return Owner{std::nullopt, &sealer.box_data_key()};
  const CustomerHash hash = sealer.hash(customer);
  std::int64_t id = 0;
  if (const auto known = ids_.find(hash); known != ids_.end()) {
    id = known->second;
    if (const Secret* key = key_of(id)) {
      last_owner_ = id;
      return Owner{id, key};
    }
  } else {
    if (const auto next = row_after_last(hash)) return next;
    // Both at once: with a snapshot each item is somebody else's.
    auto s = db.query("SELECT id, wrapped FROM customer WHERE hash = ?", Blob{view(hash)});
    if (s.step()) {
      id = s.int64(0);
      if (const auto key = sealer.unwrap(s.blob(1), view(hash))) return remember(hash, id, *key);
    }
  }
  if (is_erased(hash)) return std::nullopt;
  const Secret key = Secret::random();
  const std::string wrapped = sealer.wrap(key, view(hash));
  if (id == 0) {
    db.run("INSERT INTO customer (hash, wrapped) VALUES (?, ?)", Blob{view(hash)}, Blob{wrapped});
    id = db.last_row();
  } else {
    // The key was damaged, and what it sealed is lost.
    db.run("UPDATE customer SET wrapped = ? WHERE id = ?", Blob{wrapped}, id);
  }
  return remember(hash, id, key);
}

std::optional<Context::Owner> Context::row_after_last(const CustomerHash& hash) {
  auto s = db.query("SELECT hash, wrapped FROM customer WHERE id = ?", last_owner_ + 1);
  if (!s.step() || s.blob(0) != view(hash)) return std::nullopt;
  const auto key = sealer.unwrap(s.blob(1), view(hash));
  if (!key) return std::nullopt;
  return remember(hash, last_owner_ + 1, *key);
}

Context::Owner Context::remember(const CustomerHash& hash, std::int64_t id, const Secret& key) {
  last_owner_ = id;
  if (ids_.size() >= kCachedKeys) ids_.clear();
  ids_.insert_or_assign(hash, id);
  if (keys_.size() >= kCachedKeys) keys_.clear();
  return {id, &keys_.insert_or_assign(id, key).first->second};
}

Context::Owner Context::owner_of(const CustomerId& customer) {
  if (const auto owner = find_owner(customer)) return *owner;
  throw DbError({ErrorCode::refused, "store: this person asked to be forgotten"});
}

Context::AllKeys Context::all_keys() {
  AllKeys keys;
  keys.reserve(static_cast<std::size_t>(db.integer("SELECT count(*) FROM customer").value_or(0)));
  keys.emplace(0, sealer.box_data_key());
  auto s = db.query("SELECT id, hash, wrapped FROM customer");
  while (s.step()) {
    if (auto key = sealer.unwrap(s.blob(2), s.blob(1))) keys.emplace(s.int64(0), *key);
  }
  return keys;
}

void Context::forget_keys() {
  ids_.clear();
  keys_.clear();
}

std::optional<std::string> Context::unseal(std::int64_t customer, std::string_view label,
                                           std::string_view sealed) {
  const Secret* key = key_of(customer);
  if (!key) return std::nullopt;
  return Sealer::open(*key, label, sealed);
}

bool Context::is_erased(const CustomerHash& customer) {
  return db.query("SELECT 1 FROM tombstone WHERE hash = ?", Blob{view(customer)}).step();
}

}  // namespace welcome::store
