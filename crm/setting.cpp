// SPDX-License-Identifier: Apache-2.0
#include "crm/setting.h"

namespace welcome::crm {

std::string setting(Database& db, const char* name) {
  const Rows rows = db.query("SELECT value FROM setting WHERE name = $1", {std::string(name)});
  return rows.empty() ? std::string() : rows[0].text(0);
}

void set_setting(Database& db, const char* name, const std::string& value) {
  db.execute(
      "INSERT INTO setting (name, value) VALUES ($1, $2) "
      "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      {std::string(name), value});
}

}  // namespace welcome::crm
