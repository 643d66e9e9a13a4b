// SPDX-License-Identifier: Apache-2.0
// Whatever somebody imports into a CRM that has customers: everything of it is taken, or nothing
// and the error says why.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <sodium.h>
#include <string>

#include "crm/database.h"
#include "crm/import.h"

namespace {

using namespace welcome;
using namespace welcome::crm;

struct Bench {
  Bench() : db(made()), crm(*db) {
    Transaction transaction(*db);
    if (!crm.put_customer({{"customer", "c-paul"}, {"name", "Paul"}}, "a-paul", now)) std::abort();
    transaction.commit();
  }
  static std::unique_ptr<Database> made() {
    if (sodium_init() < 0) std::abort();
    auto db = open_sqlite(":memory:");
    migrate(*db);
    Settings settings;
    settings.tenant = "demo";
    settings.controller = "Aroma Ltd";
    Crm::init(*db, settings);
    return db;
  }

  WallTime now{std::chrono::milliseconds(1'777'000'000'000)};
  std::unique_ptr<Database> db;
  Crm crm;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Bench bench;
  Import import(bench.crm, bench.now);
  const auto added = import.add("file", {reinterpret_cast<const char*>(data), size});
  if (!added && added.error().message.empty()) std::abort();
  if (!added || !import.check()) return 0;
  // Rolled back, so that every input meets the same database.
  Transaction transaction(*bench.db);
  while (import.take(std::chrono::steady_clock::now() + std::chrono::hours(1))) {
  }
  if (import.done() != import.rows()) std::abort();
  return 0;
}
