// SPDX-License-Identifier: Apache-2.0
#pragma once
// Sql: a statement of box or CRM. Only a literal becomes one, so no value can get into it, and a
// test can find every one of them in the sources. One that inserts names its columns, and none
// reads `*`: so it works as well with a database to which a newer version has added some, and a
// version can be rolled back. What breaks that does not compile.

#include <string_view>

namespace welcome {

class Sql {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): a literal in the place of a statement is one
  consteval Sql(const char* text) : text_(text) {
    if (!names_columns(text)) throw "an INSERT has to name its columns";
    if (std::string_view(text).find("SELECT *") != std::string_view::npos)
      throw "a SELECT has to name its columns";
  }
  const char* text() const { return text_; }

  // Of every INSERT in it.
  static constexpr bool names_columns(std::string_view text) {
    for (auto at = text.find("INSERT"); at != std::string_view::npos;
         at = text.find("INSERT", at)) {
      const auto into = text.find("INTO ", at);
      at = text.find_first_of(" (", into == std::string_view::npos ? into : into + 5);
      if (at != std::string_view::npos) at = text.find_first_not_of(' ', at);
      if (at == std::string_view::npos || text[at] != '(') return false;
    }
    return true;
  }

 private:
  const char* text_;
};

}  // namespace welcome
