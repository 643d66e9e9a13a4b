// SPDX-License-Identifier: Apache-2.0
// What of the CRM's records is about devices.

#include <nlohmann/json.hpp>
#include <utility>

#include "contract/items.h"
#include "core/identity.h"
#include "crm/crm.h"

namespace welcome::crm {

using contract::Collection;

namespace {

Result<IdentityItem> item_of(const json& value) {
  auto item = contract::decode_item(Collection::identities, value.dump());
  if (!item) return tl::unexpected(item.error());
  return std::get<IdentityItem>(std::move(*item));
}

}  // namespace

// One device is one customer's: boxes would greet the one for the other.
Result<void> Crm::check_device(const json& value) {
  const auto item = item_of(value);
  if (!item) return tl::unexpected(item.error());
  const Rows rows = db_.query(
      "SELECT identity FROM identity WHERE device = $1 AND customer <> $2 AND identity <> $3",
      {device_of(*item), item->customer.str(), item->identity});
  if (rows.empty()) return {};
  return fail(ErrorCode::refused, "the same device is identity \"" + rows[0].text(0) +
                                      "\" of another customer: take it from them first");
}

Result<void> Crm::put_identity(const json& value) {
  if (auto ok = check_identity(value); !ok) return ok;
  const auto item = item_of(value);
  if (!item) return tl::unexpected(item.error());
  const std::string customer = item->customer.str();
  if (auto ok = must_exist(customer); !ok) return ok;
  if (auto ok = check_device(value); !ok) return ok;
  db_.execute(
      "INSERT INTO identity (identity, customer, value, device) VALUES ($1, $2, $3, $4) ON "
      "CONFLICT (identity) DO UPDATE SET customer = excluded.customer, value = excluded.value, "
      "device = excluded.device",
      {item->identity, customer, value.dump(), device_of(*item)});
  refresh(customer);
  return {};
}

Result<void> Crm::set_device_key(const std::string& identity, const std::string& key) {
  const Rows rows = db_.query("SELECT value FROM identity WHERE identity = $1", {identity});
  if (rows.empty()) return fail(ErrorCode::not_found, "there is no such identity");
  json value = json::parse(rows[0].text(0));
  const char* name = value.contains("irk") ? "irk" : "key";
  if (!value.contains(name)) {
    return fail(ErrorCode::refused, "an identity of kind " + value.at("kind").get<std::string>() +
                                        " has no secret key: give its owner another device");
  }
  if (value.at(name) == key) return fail(ErrorCode::refused, "that is the key it has");
  value[name] = key;
  return put_identity(value);
}

Result<json> Crm::set_clock(const std::string& identity, WallTime began) {
  const Rows rows = db_.query("SELECT value FROM identity WHERE identity = $1", {identity});
  if (rows.empty()) return fail(ErrorCode::not_found, "there is no such identity");
  json value = json::parse(rows[0].text(0));
  if (!value.contains("clock_zero")) {
    return fail(ErrorCode::refused,
                "an identity of kind " + value.at("kind").get<std::string>() + " has no clock");
  }
  value["clock_zero"] = contract::to_rfc3339(began);
  if (auto put = put_identity(value); !put) return tl::unexpected(put.error());
  return value;
}

}  // namespace welcome::crm
