// SPDX-License-Identifier: Apache-2.0
#pragma once
// Comma-separated files as RFC 4180 has them, read row by row. The first line is the header; lines
// that are empty are skipped; line ends are those of Windows, Unix or an old Mac.
//
// A reader looks into the caller's text, which must outlive it. Every error names the line and says
// what to do. Any thread.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace welcome::crm {

// The text without its byte order mark, if it is UTF-8 without zero bytes. Errors: malformed, with
// the line, and how to save the file.
Result<std::string_view> readable(std::string_view text);

// "line 3: what"
std::string at_line(std::size_t line, const std::string& what);

class CsvReader {
 public:
  // Reads the header. Errors: malformed (empty, no commas, a column twice).
  static Result<CsvReader> open(std::string_view text);

  const std::vector<std::string>& header() const { return header_; }

  // The next row; false at the end.
  Result<bool> next();
  std::size_t line() const { return row_line_; }  // where the row begins
  // Of the row, in the order of the header.
  const std::vector<std::string>& cells() const { return cells_; }
  bool field_there(std::string_view column) const { return column_of(column) < header_.size(); }
  // Nothing: there is no such column.
  std::optional<std::string_view> field(std::string_view column) const;

  // Where the next row begins, and back to such a place.
  struct Place {
    std::size_t at = 0, line = 1;
  };
  Place place() const { return {at_, line_}; }
  void go(Place place) {
    at_ = place.at;
    line_ = place.line;
  }

 private:
  std::size_t column_of(std::string_view column) const;
  explicit CsvReader(std::string_view text) : text_(text) {}
  Result<bool> read_row();
  bool line_end();

  std::string_view text_;
  std::size_t at_ = 0, line_ = 1, row_line_ = 1;
  std::vector<std::string> header_, cells_;
};

}  // namespace welcome::crm
