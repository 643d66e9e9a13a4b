// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whether a schema only adds to an older one, so that an update can be rolled back
// (docs/decisions/0201). For SQLite, whoever opens it.

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace welcome {

// The rows of a statement, of so many columns, as text.
using AskSql =
    std::function<std::vector<std::vector<std::string>>(const std::string& sql, int columns)>;

// What a file of `newer` lacks for whoever knows `older`; empty: it only adds.
inline std::vector<std::string> lacks(const AskSql& older, const AskSql& newer) {
  struct Column {
    std::string name, type;
    bool filled;  // by an INSERT that does not know it: it may be NULL or has a default
    bool operator==(const Column& other) const { return name == other.name && type == other.type; }
  };
  const auto columns = [](const AskSql& ask) {
    std::map<std::string, std::vector<Column>, std::less<>> out;
    for (const auto& row :
         ask("SELECT t.name, c.name, c.type,"
             " CAST(c.\"notnull\" = 0 OR c.dflt_value IS NOT NULL AS TEXT)"
             " FROM pragma_table_list AS t, pragma_table_info(t.name) AS c"
             " WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.cid",
             4)) {
      out[row[0]].push_back({row[1], row[2], row[3] == "1"});
    }
    return out;
  };
  const auto names = [](const AskSql& ask, const std::string& sql) {
    std::set<std::string> out;
    for (const auto& row : ask(sql, 1)) out.insert(row[0]);
    return out;
  };
  std::vector<std::string> out;
  const auto before = columns(older);
  const auto after = columns(newer);
  for (const auto& [table, was] : before) {
    const auto found = after.find(table);
    if (found == after.end()) {
      out.push_back("the table " + table);
      continue;
    }
    const auto& is = found->second;
    if (is.size() < was.size() || !std::equal(was.begin(), was.end(), is.begin()))
      out.push_back("a column of " + table);
    for (std::size_t i = was.size(); i < is.size(); ++i) {
      if (!is[i].filled) out.push_back("a value for " + table + "." + is[i].name);
    }
  }
  // What would refuse a row of the older version, or act on it.
  const std::string strict =
      "SELECT t.name || '.' || i.name FROM pragma_table_list AS t, pragma_index_list(t.name) AS i"
      " WHERE i.\"unique\" AND t.schema = 'main'";
  const auto was_unique = names(older, strict);
  for (const std::string& index : names(newer, strict)) {
    const bool of_a_new_table = !before.contains(index.substr(0, index.find('.')));
    if (!was_unique.contains(index) && !of_a_new_table) out.push_back("freedom from " + index);
  }
  for (const std::string& trigger :
       names(newer, "SELECT name FROM sqlite_schema WHERE type = 'trigger'"))
    out.push_back("freedom from " + trigger);
  // It would keep the older version from erasing.
  const std::string held =
      "SELECT t.name FROM pragma_table_list AS t, pragma_foreign_key_list(t.name) AS f"
      " WHERE t.schema = 'main' AND f.on_delete <> 'CASCADE'";
  const auto was_held = names(older, held);
  for (const std::string& table : names(newer, held)) {
    if (!was_held.contains(table)) out.push_back("CASCADE of " + table);
  }
  return out;
}

}  // namespace welcome
