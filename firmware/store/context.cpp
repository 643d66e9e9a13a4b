#include "firmware/store/context.h"

#include <algorithm>

namespace welcome::store {

namespace {

constexpr std::size_t kCachedKeys = 4096;

}  // namespace

Context::Context(std::string file, std::string vfs, std::span<const std::uint8_t, 32> box_key)
    : path(std::move(file)), sealer(box_key), db(path, vfs, false) {
  // A key that was made in a transaction that failed must not be used again.
  db.on_rollback = [this] { forget_keys(); };
}

const Secret* Context::key_of(const CustomerHash& customer) {
  const std::string name(view(customer));
  if (auto found = keys_.find(name); found != keys_.end()) return &found->second;
  Statement s = db.query("SELECT wrapped FROM customer WHERE hash = ?", Blob{name});
  if (!s.step()) return nullptr;
  auto key = sealer.unwrap(s.blob(0), customer);
  if (!key) return nullptr;
  if (keys_.size() >= kCachedKeys) keys_.clear();
  return &keys_.emplace(name, *key).first->second;
}

const Secret& Context::key_for(const CustomerHash& customer) {
  if (const Secret* key = key_of(customer)) return *key;
  if (is_erased(customer))
    throw DbError({ErrorCode::refused, "store: this person asked to be forgotten"});
  const Secret key = Secret::random();
  db.run(
      "INSERT INTO customer (hash, wrapped) VALUES (?, ?)"
      " ON CONFLICT (hash) DO UPDATE SET wrapped = excluded.wrapped",
      Blob{view(customer)}, Blob{sealer.wrap(key, customer)});
  return keys_.insert_or_assign(std::string(view(customer)), key).first->second;
}

Context::AllKeys Context::all_keys() {
  AllKeys keys;
  keys.reserve(static_cast<std::size_t>(db.integer("SELECT count(*) FROM customer").value_or(0)));
  Statement s = db.query("SELECT hash, wrapped FROM customer");
  CustomerHash hash{};
  while (s.step()) {
    const auto name = s.blob(0);
    if (name.size() != hash.size()) continue;
    std::copy(name.begin(), name.end(), hash.begin());
    if (auto key = sealer.unwrap(s.blob(1), hash)) keys.emplace(name, *key);
  }
  return keys;
}

std::string Context::seal(const CustomerId& customer, std::string_view label,
                          std::string_view plain) {
  const Secret& key = customer.empty() ? sealer.box_data_key() : key_for(sealer.hash(customer));
  return sealer.seal(key, label, plain);
}

std::optional<std::string> Context::unseal(std::string_view customer, std::string_view label,
                                           std::string_view sealed) {
  if (customer.empty()) return Sealer::open(sealer.box_data_key(), label, sealed);
  CustomerHash hash{};
  if (customer.size() != hash.size()) return std::nullopt;
  std::copy(customer.begin(), customer.end(), hash.begin());
  const Secret* key = key_of(hash);
  if (!key) return std::nullopt;
  return Sealer::open(*key, label, sealed);
}

bool Context::is_erased(const CustomerHash& customer) {
  return db.query("SELECT 1 FROM tombstone WHERE hash = ?", Blob{view(customer)}).step();
}

std::optional<CustomerHash> customer_column(const Sealer& sealer, const CustomerId& customer) {
  if (customer.empty()) return std::nullopt;
  return sealer.hash(customer);
}

}  // namespace welcome::store
