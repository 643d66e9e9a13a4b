// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the commands of welcome-crm have in common. Used by this room alone.

#include <cstdint>
#include <iosfwd>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "crm/cli/cli.h"
#include "crm/crm.h"
#include "crm/database.h"
#include "crm/server.h"
#include "crm/wall_clock.h"

namespace welcome::crm::cli {

// Said on stderr with a pointer to --help; exit code 2.
struct Usage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Option {
  const char* name;
  const char* otherwise;  // its value when it is not given; nullptr: none
  const char* help;
  bool flag = false;    // takes no value
  bool needed = false;  // has to be given
  bool many = false;    // may be given more than once; its values with commas between
};

struct Beyond;

using Table = std::vector<std::vector<std::string>>;

// What every command gets: its own options, its words, and where to write.
struct Call {
  std::map<std::string, std::string> options;
  std::vector<std::string> words;
  std::string url;
  std::string keys;  // folder of the signing keys; empty: nobody said
  bool json_wanted = false;
  const Beyond* beyond = nullptr;
  std::ostream* out = nullptr;
  std::ostream* err = nullptr;

  const std::string& word(std::size_t i, const char* what) const;
  void at_most(std::size_t count) const;
  bool has(const char* name) const { return options.contains(name); }
  std::string text(const char* name) const;  // "" when it is not given
  std::int64_t number(const char* name, std::int64_t least, std::int64_t most) const;
  std::optional<WallTime> time(const char* name) const;

  void print(const json& value) const;
  void warn(const std::string& what) const;  // on stderr, and all goes on
  int no(const Error& error) const;          // kUsage for malformed, else kNo
  // kDone, and what came of it: as JSON where that is wanted, else in words (a line, or several).
  int done(const json& value, const std::string& said) const;
  int done(const json& value, const Table& table) const;
};

struct Command {
  const char* name;
  const char* words;
  const char* help;
  int (*run)(const Call&);
  std::span<const Option> options = {};
};

// What the program has from rooms that stand on this one.
struct Beyond {
  std::span<const Command> commands;
  // `serve --door`: by the call's options `door` and `door-page`.
  std::unique_ptr<Beside> (*open_door)(const Call&);
};

std::span<const Command> set_up_commands();
std::span<const Command> box_commands();
std::span<const Command> box_list_commands();
std::span<const Command> complaint_commands();
std::span<const Command> customer_commands();
std::span<const Command> fleet_commands();
std::span<const Command> invite_commands();
std::span<const Command> light_commands();
std::span<const Command> metrics_commands();
// The table of docs/metrics.md.
std::string markdown_crm_metrics();
std::span<const Command> release_commands();
std::span<const Command> renew_commands();
std::span<const Command> serve_commands();
std::span<const Command> sign_commands();
std::span<const Command> staff_commands();

// The database that the call names, with the newest tables.
struct Opened {
  std::unique_ptr<Database> db;
  Crm crm;
  explicit Opened(const Call& call);
};

// An option that stays as it was said last: the call's, else what the database kept. Empty:
// neither.
std::string said_last(const Call& call, Opened& opened, const char* option, const char* kept);

std::unique_ptr<Database> open_and_migrate(const std::string& url);

// The call's one word, STORE/BOX.
std::pair<std::string, std::string> box_of(const Call& call);
// mqtt://HOST:PORT or mqtts://HOST:PORT. Throws Usage.
struct BrokerUrl {
  std::string host;
  std::uint16_t port = 0;
  bool tls = false;
};
BrokerUrl broker_of(const std::string& url);
// "-" is stdin. Throws DatabaseError when it cannot be read.
std::string read_file(const std::string& path);
// Columns as wide as their widest cell; the last one as long as it likes. What came from outside
// does nothing to a terminal.
void print_table(std::ostream& out, const Table& rows);

}  // namespace welcome::crm::cli
