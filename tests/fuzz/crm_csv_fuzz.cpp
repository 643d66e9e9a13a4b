// Files that are imported: any text is rows that fit the header, or an error.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "crm/import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto csv =
      welcome::crm::parse_csv(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!csv) return 0;
  for (const auto& row : csv->rows) {
    if (row.fields.size() > csv->header.size()) std::abort();
  }
  return 0;
}
