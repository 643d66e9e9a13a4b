// SPDX-License-Identifier: Apache-2.0
#include "crm/database.h"

#include <charconv>

namespace welcome::crm {

bool Row::null(std::size_t column) const {
  return std::holds_alternative<std::nullptr_t>(values_.at(column));
}

std::string Row::text(std::size_t column) const {
  const Value& value = values_.at(column);
  if (const auto* s = std::get_if<std::string>(&value)) return *s;
  if (const auto* i = std::get_if<std::int64_t>(&value)) return std::to_string(*i);
  if (const auto* d = std::get_if<double>(&value)) return std::to_string(*d);
  return {};
}

std::int64_t Row::integer(std::size_t column) const {
  const Value& value = values_.at(column);
  if (const auto* i = std::get_if<std::int64_t>(&value)) return *i;
  if (const auto* s = std::get_if<std::string>(&value)) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(s->data(), s->data() + s->size(), number);
    if (error == std::errc{} && end == s->data() + s->size()) return number;
    throw DatabaseError("a number was expected in the database");
  }
  return 0;
}

std::optional<std::string> Row::maybe(std::size_t column) const {
  if (null(column)) return std::nullopt;
  return text(column);
}

std::unique_ptr<Database> open_database(const std::string& url) {
  if (url.starts_with("postgresql://") || url.starts_with("postgres://")) {
    return open_postgres(url);
  }
  return open_sqlite(url);
}

}  // namespace welcome::crm
