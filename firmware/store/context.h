#pragma once
// Context: what the parts of the store share. Internal to firmware/store.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "firmware/store/database.h"
#include "firmware/store/sealing.h"

namespace welcome::store {

class Context {
 public:
  // Throws DbError.
  Context(std::string path, std::string vfs, std::span<const std::uint8_t, 32> box_key);

  const std::string path;
  const Sealer sealer;
  Database db;

  // The customer's key, made when there is none. Throws: refused for a person who was forgotten.
  const Secret& key_for(const CustomerHash& customer);
  // The customer's key, if there is one that opens.
  const Secret* key_of(const CustomerHash& customer);
  // Keys of everybody, for reading a whole table.
  using AllKeys = std::unordered_map<std::string, Secret>;
  AllKeys all_keys();
  void forget_keys() { keys_.clear(); }

  // Seals for the customer, or for nobody when it is empty.
  std::string seal(const CustomerId& customer, std::string_view label, std::string_view plain);
  // `customer` as read from the column; empty = about nobody. Nothing when it does not open.
  std::optional<std::string> unseal(std::string_view customer, std::string_view label,
                                    std::string_view sealed);

  bool is_erased(const CustomerHash& customer);

  // Outbox rows that are on their way, and the number of the next one.
  std::unordered_map<std::int64_t, std::uint8_t> handed_out;
  std::int64_t next_outbox_row = 1;
  // Rows may be gone whose customer has nothing else: maintain() looks for keys of nobody.
  bool keys_to_collect = true;
  std::string collect_cursor;

 private:
  std::unordered_map<std::string, Secret> keys_;
};

// Adds to the audit trail, within a write. Throws DbError. (audit.cpp)
void append_audit(Context& context, WallTime at, std::string_view kind, std::string_view actor,
                  std::string_view subject, std::string_view detail);

// The customer column: a keyed hash, or NULL for what is about nobody.
std::optional<CustomerHash> customer_column(const Sealer& sealer, const CustomerId& customer);

inline std::optional<Blob> blob_of(const std::optional<CustomerHash>& hash) {
  if (!hash) return std::nullopt;
  return Blob{view(*hash)};
}

inline std::string label_of(std::string_view table, std::string_view id) {
  std::string label(table);
  label.push_back('\0');
  label.append(id);
  return label;
}

}  // namespace welcome::store
