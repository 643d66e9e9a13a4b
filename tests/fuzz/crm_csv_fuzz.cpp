// SPDX-License-Identifier: Apache-2.0
// Files that are imported: any text is rows that fit the header, or an error.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "crm/csv.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = welcome::crm::readable({reinterpret_cast<const char*>(data), size});
  if (!text) return 0;
  auto csv = welcome::crm::CsvReader::open(*text);
  if (!csv) return 0;
  const auto begin = csv->place();
  std::size_t rows = 0;
  for (auto row = csv->next(); row && *row; row = csv->next()) {
    if (csv->cells().size() != csv->header().size()) std::abort();
    ++rows;
  }
  csv->go(begin);
  for (auto row = csv->next(); row && *row; row = csv->next()) --rows;
  if (rows != 0) std::abort();
  return 0;
}
