// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/salvage.h"

#include "firmware/store/context.h"
#include "firmware/store/tables.h"

namespace welcome::store {

std::size_t salvage(Context& to, const std::string& damaged_file, const std::string& vfs) {
  // Values go over as they are; what was sealed with this box key stays readable.
  std::size_t rows = 0;
  try {
    // Not read-only: the log beside it has the newest rows.
    Database from(damaged_file, vfs, false);
    from.script("PRAGMA locking_mode = EXCLUSIVE");
    for (const TableRule& table : kTables) {
      if (table.columns == 0) continue;
      const auto saved = to.db.write([&] {
        std::size_t of_this = 0;
        try {
          std::string marks = "?";
          for (int i = 1; i < table.columns; ++i) marks += ",?";
          auto source = from.prepare("SELECT " + std::string(table.which) + " FROM " +
                                     std::string(table.name));
          while (source.step()) {
            auto target = to.db.prepare("INSERT OR REPLACE INTO " + std::string(table.name) +
                                        " VALUES (" + marks + ")");
            for (int i = 0; i < table.columns; ++i) target.bind_value(i + 1, source, i);
            try {
              while (target.step()) {
              }
              ++of_this;
            } catch (const DbError&) {
              // A row that fits nowhere (its key is lost): the next one may.
            }
          }
        } catch (const DbError&) {
          // The table ends here.
        }
        return of_this;
      });
      rows += saved.value_or(0);
    }
  } catch (const DbError&) {
    // Not even the header can be read.
  }
  return rows;
}

}  // namespace welcome::store
