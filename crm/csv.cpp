// SPDX-License-Identifier: Apache-2.0
#include "crm/csv.h"

#include <algorithm>
#include <set>

#include "contract/json_text.h"

namespace welcome::crm {
namespace {

constexpr const char* kSaveAsUtf8 =
    "save the file as UTF-8 (in a spreadsheet: \"CSV UTF-8\"), then say import again";

Result<CsvReader> broken(std::size_t line, const std::string& what) {
  return fail(ErrorCode::malformed, at_line(line, what));
}

std::size_t line_of(std::string_view text, std::size_t at) {
  return 1 + static_cast<std::size_t>(
                 std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

}  // namespace

std::string at_line(std::size_t line, const std::string& what) {
  return "line " + std::to_string(line) + ": " + what;
}

Result<std::string_view> readable(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    return fail(ErrorCode::malformed, at_line(1, std::string("this is UTF-16: ") + kSaveAsUtf8));
  }
  if (const auto zero = text.find('\0'); zero != std::string_view::npos) {
    return fail(
        ErrorCode::malformed,
        at_line(line_of(text, zero), std::string("a zero byte, as in UTF-16: ") + kSaveAsUtf8));
  }
  if (const auto bad = contract::first_bad_utf8(text); bad != std::string_view::npos) {
    return fail(ErrorCode::malformed,
                at_line(line_of(text, bad),
                        std::string("a letter that is not UTF-8 (Latin-1?): ") + kSaveAsUtf8));
  }
  return text;
}

Result<CsvReader> CsvReader::open(std::string_view text) {
  CsvReader reader(text);
  auto read = reader.read_row();
  if (!read) return tl::unexpected(read.error());
  if (!*read) return fail(ErrorCode::malformed, "the file is empty");
  for (const std::string& cell : reader.cells_) reader.header_.push_back(trimmed(cell));
  const std::size_t line = reader.row_line_;
  if (reader.header_.size() == 1) {
    for (const auto& [separator, name] : {std::pair{';', "semicolons"}, {'\t', "tabs"}}) {
      if (reader.header_[0].find(separator) != std::string::npos) {
        return broken(line, std::string("the columns are separated by ") + name +
                                ": save the file with commas between them");
      }
    }
  }
  std::set<std::string_view> seen;
  for (const std::string& name : reader.header_) {
    if (!seen.insert(name).second) {
      return broken(line, "the column \"" + name + "\" is there twice: take one out");
    }
  }
  return reader;
}

std::size_t CsvReader::column_of(std::string_view column) const {
  return static_cast<std::size_t>(std::find(header_.begin(), header_.end(), column) -
                                  header_.begin());
}

std::optional<std::string_view> CsvReader::field(std::string_view column) const {
  const std::size_t i = column_of(column);
  if (i == header_.size()) return std::nullopt;
  return cells_[i];
}

Result<bool> CsvReader::next() {
  while (true) {
    auto read = read_row();
    if (!read || !*read) return read;
    // Spreadsheets end a table with rows of nothing.
    if (std::any_of(cells_.begin(), cells_.end(), [](const auto& cell) { return !cell.empty(); })) {
      break;
    }
  }
  if (cells_.size() != header_.size()) {
    return fail(ErrorCode::malformed,
                at_line(row_line_, std::to_string(cells_.size()) + " cells where the header has " +
                                       std::to_string(header_.size())));
  }
  return true;
}

// At the end of a line: steps over it.
bool CsvReader::line_end() {
  if (text_[at_] != '\n' && text_[at_] != '\r') return false;
  if (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') ++at_;
  ++at_;
  ++line_;
  return true;
}

Result<bool> CsvReader::read_row() {
  while (at_ < text_.size() && line_end()) {
  }
  if (at_ == text_.size()) return false;
  row_line_ = line_;
  cells_.assign(1, "");
  bool closed = false;  // after the closing quote of a cell
  while (at_ < text_.size() && !line_end()) {
    const char c = text_[at_++];
    if (c == ',') {
      cells_.emplace_back();
      closed = false;
    } else if (c != '"') {
      if (closed)
        return fail(ErrorCode::malformed, at_line(line_, "a quote in the middle of a cell"));
      cells_.back() += c;
    } else if (closed || !cells_.back().empty()) {
      return fail(ErrorCode::malformed, at_line(line_, "a quote in the middle of a cell"));
    } else {
      closed = true;
      while (true) {
        if (at_ == text_.size()) {
          return fail(ErrorCode::malformed, at_line(row_line_, "a quote is not closed"));
        }
        const char quoted = text_[at_++];
        if (quoted == '"') {
          if (at_ == text_.size() || text_[at_] != '"') break;
          ++at_;
        }
        if (quoted == '\n') ++line_;
        cells_.back() += quoted;
      }
    }
  }
  return true;
}

}  // namespace welcome::crm
