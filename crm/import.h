#pragma once
// Files that fill the CRM (docs/crm.md): CSV for customers, consents and preferences, JSON for
// campaigns, policy and identities. What a file is, its header or its members say.
//
// A file is taken whole or not at all. Runs inside the caller's Transaction.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "crm/crm.h"

namespace welcome::crm {

// RFC 4180, first line is the header; lines that are empty are skipped.
struct CsvRow {
  std::size_t line = 0;
  std::map<std::string, std::string> fields;
};
struct Csv {
  std::vector<std::string> header;
  std::vector<CsvRow> rows;
};
Result<Csv> parse_csv(std::string_view text);

// What was imported, by kind: {"customers": 3}. The error names the line or the element.
using Imported = std::map<std::string, int>;
Result<Imported> import_text(Crm& crm, std::string_view text, bool csv, WallTime now);

}  // namespace welcome::crm
