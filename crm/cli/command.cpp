// SPDX-License-Identifier: Apache-2.0
#include "crm/cli/command.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "crm/setting.h"

namespace welcome::crm::cli {

const std::string& Call::word(std::size_t i, const char* what) const {
  if (i >= words.size()) throw Usage(std::string(what) + " is missing");
  return words[i];
}

void Call::at_most(std::size_t count) const {
  if (words.size() > count) throw Usage("unexpected \"" + words[count] + "\"");
}

std::string Call::text(const char* name) const {
  const auto found = options.find(name);
  return found == options.end() ? std::string() : found->second;
}

std::int64_t Call::number(const char* name, std::int64_t least, std::int64_t most) const {
  const std::string value = text(name);
  std::int64_t parsed = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
  if (error != std::errc{} || end != value.data() + value.size() || parsed < least ||
      parsed > most) {
    throw Usage(std::string("--") + name + " is a number from " + std::to_string(least) + " to " +
                std::to_string(most));
  }
  return parsed;
}

std::optional<WallTime> Call::time(const char* name) const {
  if (!has(name)) return std::nullopt;
  const auto at = contract::from_rfc3339(text(name));
  if (!at) throw Usage(std::string("--") + name + " is not a time like 2026-05-04T08:15:30Z");
  return at;
}

void Call::print(const json& value) const { *out << value.dump(2) << "\n"; }

void Call::warn(const std::string& what) const { *err << "welcome-crm: " << what << "\n"; }

int Call::no(const Error& error) const {
  if (json_wanted) {
    print({{"ok", false}, {"error", error.message}});
  } else {
    warn(error.message);
  }
  return error.code == ErrorCode::malformed ? kUsage : kNo;
}

int Call::done(const json& value, const std::string& said) const {
  if (json_wanted) {
    print(value);
  } else {
    *out << said << "\n";
  }
  return kDone;
}

int Call::done(const json& value, const Table& table) const {
  if (json_wanted) {
    print(value);
  } else {
    print_table(*out, table);
  }
  return kDone;
}

std::unique_ptr<Database> open_and_migrate(const std::string& url) {
  auto db = open_database(url);
  migrate(*db);
  return db;
}

std::string said_last(const Call& call, Opened& opened, const char* option, const char* kept) {
  return call.has(option) ? call.text(option) : setting(*opened.db, kept);
}

Opened::Opened(const Call& call)
    : db(open_and_migrate(call.url)), crm(*db, SigningKeys(call.keys)) {
  if (!crm.holds_keys()) return;
  Transaction transaction(*db);
  crm.move_keys_out();
  transaction.commit();
  crm.scrub_what_was_erased();
}

std::string read_file(const std::string& path) {
  std::ostringstream text;
  if (path == "-") {
    text << std::cin.rdbuf();
    return text.str();
  }
  std::ifstream file(path, std::ios::binary);
  if (!file || !(text << file.rdbuf())) throw DatabaseError("cannot read " + path);
  return text.str();
}

std::pair<std::string, std::string> box_of(const Call& call) {
  const std::string& name = call.word(0, "STORE/BOX");
  call.at_most(1);
  const auto slash = name.find('/');
  if (slash == std::string::npos) throw Usage("a box is STORE/BOX");
  std::pair<std::string, std::string> out{name.substr(0, slash), name.substr(slash + 1)};
  if (!contract::valid_level(out.first) || !contract::valid_level(out.second))
    throw Usage("a box is STORE/BOX");
  return out;
}

BrokerUrl broker_of(const std::string& url) {
  BrokerUrl out;
  std::string rest = url;
  out.tls = rest.starts_with("mqtts://");
  if (!out.tls && !rest.starts_with("mqtt://")) {
    throw Usage("--broker is mqtt://HOST:PORT or mqtts://HOST:PORT");
  }
  rest.erase(0, rest.find("//") + 2);
  out.port = out.tls ? 8883 : 1883;
  if (const auto colon = rest.rfind(':'); colon != std::string::npos && !rest.ends_with(']')) {
    const std::string port = rest.substr(colon + 1);
    const bool digits = !port.empty() && port.size() <= 5 &&
                        port.find_first_not_of("0123456789") == std::string::npos;
    if (!digits || std::stoi(port) < 1 || std::stoi(port) > 65535) {
      throw Usage("--broker: the port is not a port");
    }
    out.port = static_cast<std::uint16_t>(std::stoi(port));
    rest.erase(colon);
  }
  if (rest.size() > 2 && rest.front() == '[') rest = rest.substr(1, rest.size() - 2);
  if (rest.empty()) throw Usage("--broker: the host is missing");
  out.host = rest;
  return out;
}

namespace {

// Control characters, those of two bytes (U+0080 to U+009F) too.
std::string harmless(std::string text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
    if (byte < 0x20 || byte == 0x7F) text[i] = '?';
    if (byte == 0xC2 && next >= 0x80 && next < 0xA0) text[i] = text[i + 1] = '?';
  }
  return text;
}

}  // namespace

void print_table(std::ostream& out, const Table& table) {
  Table rows = table;
  for (auto& row : rows) {
    for (std::string& cell : row) cell = harmless(std::move(cell));
  }
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i + 1 < row.size()) {
        out << std::left << std::setw(static_cast<int>(widths[i]) + 2) << row[i];
      } else {
        out << row[i];
      }
    }
    out << "\n";
  }
}

}  // namespace welcome::crm::cli
