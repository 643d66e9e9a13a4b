#include "firmware/store/salvage.h"

#include <array>

#include "firmware/store/context.h"

namespace welcome::store {

namespace {

// Customers (keys) first: other rows refer to them. Values go over as they are; what was sealed
// with this box key stays readable.
struct Table {
  const char* name;
  int columns;
};
constexpr std::array kTables{
    Table{"customer", 3},     Table{"tombstone", 2}, Table{"withdrawal", 3},   Table{"control", 5},
    Table{"counter", 2},      Table{"visit", 5},     Table{"decision", 7},     Table{"state", 5},
    Table{"template", 5},     Table{"outbox", 10},   Table{"desk_consent", 4}, Table{"audit", 8},
    Table{"audit_anchor", 2}, Table{"erasure", 10},
};

}  // namespace

std::size_t salvage(Context& to, const std::string& damaged_file, const std::string& vfs) {
  std::size_t rows = 0;
  try {
    // Not read-only: the log beside it has the newest rows.
    Database from(damaged_file, vfs, false);
    from.script("PRAGMA locking_mode = EXCLUSIVE");
    for (const auto& table : kTables) {
      (void)to.db.write([&] {
        try {
          std::string marks = "?";
          for (int i = 1; i < table.columns; ++i) marks += ",?";
          auto source = from.prepare(std::string("SELECT * FROM ") + table.name);
          while (source.step()) {
            auto target = to.db.prepare(std::string("INSERT OR REPLACE INTO ") + table.name +
                                        " VALUES (" + marks + ")");
            for (int i = 0; i < table.columns; ++i) target.bind_value(i + 1, source, i);
            try {
              while (target.step()) {
              }
              ++rows;
            } catch (const DbError&) {
              // A row that fits nowhere (its key is lost): the next one may.
            }
          }
        } catch (const DbError&) {
          // The table ends here.
        }
      });
    }
  } catch (const DbError&) {
    // Not even the header can be read.
  }
  return rows;
}

}  // namespace welcome::store
