// SPDX-License-Identifier: Apache-2.0
#include "crm/cli/cli.h"

#include <algorithm>
#include <boost/any.hpp>
#include <boost/program_options.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sodium.h>
#include <sstream>

#include "core/version.h"
#include "crm/cli/command.h"

namespace welcome::crm {
namespace cli {
namespace {

namespace po = boost::program_options;

// Names in full: a command's --key is no short form of a --key-… that is meant everywhere.
constexpr int kStyle = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;

constexpr const char* kDefaultDatabase = "/var/lib/welcome-crm/crm.db";
constexpr const char* kDatabaseVariable = "WELCOME_CRM_DATABASE";
constexpr const char* kKeysVariable = "WELCOME_CRM_SIGNING_KEYS";

std::vector<const Command*> all_commands(const Beyond* beyond) {
  std::vector<const Command*> out;
  for (const auto& some :
       {set_up_commands(), customer_commands(), staff_commands(), box_commands(), invite_commands(),
        renew_commands(), box_list_commands(), fleet_commands(), release_commands(),
        light_commands(), metrics_commands(), serve_commands(), sign_commands(),
        complaint_commands(), beyond == nullptr ? std::span<const Command>() : beyond->commands}) {
    for (const Command& command : some) out.push_back(&command);
  }
  return out;
}

void describe(const Command& command, po::options_description& options) {
  for (const Option& option : command.options) {
    if (option.flag) {
      options.add_options()(option.name, option.help);
      continue;
    }
    if (option.many) {
      options.add_options()(option.name, po::value<std::vector<std::string>>(), option.help);
      continue;
    }
    auto* const value = po::value<std::string>();
    if (option.otherwise != nullptr) value->default_value(option.otherwise);
    if (option.needed) value->required();
    options.add_options()(option.name, value, option.help);
  }
}

void global_options(po::options_description& options) {
  options.add_options()("database,d", po::value<std::string>(),
                        "SQLite file or postgresql://…; else $WELCOME_CRM_DATABASE, "
                        "else /var/lib/welcome-crm/crm.db")(
      "signing-keys", po::value<std::string>(),
      "folder of the keys that it signs with; else $WELCOME_CRM_SIGNING_KEYS, else DATABASE.keys "
      "beside an "
      "SQLite file")("json", "answer in JSON")("help,h", "this text, or a command's")(
      "version", "print the version");
}

void print_help(std::ostream& out, const Beyond* beyond) {
  out << "welcome-crm: the CRM's half of the contract, for demos, tests and as an example\n\n"
         "usage: welcome-crm [--database DB] [--json] COMMAND …\n\n";
  Table table;
  for (const Command* command : all_commands(beyond)) {
    table.push_back({std::string("  ") + command->name + " " + command->words, command->help});
  }
  print_table(out, table);
  out << "\nwelcome-crm COMMAND --help tells a command's options. Commands work beside a running\n"
         "serve, which passes on what they change at once.\n\n";
  po::options_description options("Everywhere");
  global_options(options);
  out << options
      << "\nExit codes: 0 done, 1 no (not found, refused, still open), 2 wrong usage,\n"
         "3 the database or a file failed.\n";
}

void print_help(const Command& command, std::ostream& out) {
  out << "usage: welcome-crm " << command.name << " " << command.words << "\n\n"
      << command.help << "\n\n";
  po::options_description options("Options");
  describe(command, options);
  if (!options.options().empty()) out << options << "\n";
  po::options_description everywhere("Everywhere");
  global_options(everywhere);
  out << everywhere;
}

// All of it as JSON, for the manual and the shell's completion (packaging/manual.py).
void describe_commands(std::ostream& out, const Beyond* beyond) {
  po::options_description everywhere;
  global_options(everywhere);
  json common = json::array();
  for (const auto& option : everywhere.options()) {
    const bool value = option->semantic()->max_tokens() > 0;
    const std::string shortest =
        option->canonical_display_name(po::command_line_style::allow_dash_for_short);
    common.push_back({{"name", option->long_name()},
                      {"letter", shortest.size() == 2 ? shortest.substr(1) : ""},
                      {"value", value ? "VALUE" : ""},
                      {"what", option->description()}});
  }
  json commands = json::array();
  for (const Command* command : all_commands(beyond)) {
    json options = json::array();
    for (const Option& option : command->options) {
      std::string what = option.help;
      if (option.otherwise != nullptr) what += std::string(" (") + option.otherwise + ")";
      options.push_back({{"name", option.name},
                         {"letter", ""},
                         {"value", option.flag ? "" : "VALUE"},
                         {"what", what}});
    }
    commands.push_back({{"name", command->name},
                        {"operands", command->words},
                        {"what", command->help},
                        {"options", options}});
  }
  out << json{{"program", "welcome-crm"},
              {"what", "the CRM's half of the contract, for demos, tests and as an example"},
              {"options", common},
              {"commands", commands}}
             .dump()
      << '\n';
}

// The command's one or two words may stand anywhere before its own words.
const Command* find_command(std::vector<std::string>& words, const Beyond* beyond) {
  for (const Command* command : all_commands(beyond)) {
    std::istringstream names(command->name);
    std::vector<std::string> name;
    for (std::string word; names >> word;) name.push_back(word);
    if (words.size() >= name.size() && std::equal(name.begin(), name.end(), words.begin())) {
      words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(name.size()));
      return command;
    }
  }
  return nullptr;
}

// Which command is meant has to be known before its options are.
std::vector<std::string> words_of(const std::vector<std::string>& args,
                                  const po::options_description& options) {
  po::options_description all;
  all.add(options).add_options()("words", po::value<std::vector<std::string>>());
  po::positional_options_description positions;
  positions.add("words", -1);
  po::variables_map found;
  po::store(po::command_line_parser(args)
                .options(all)
                .positional(positions)
                .style(kStyle)
                .allow_unregistered()
                .run(),
            found);
  return found.count("words") != 0 ? found["words"].as<std::vector<std::string>>()
                                   : std::vector<std::string>();
}

Call parsed(const Command& command, const po::options_description& everywhere,
            const std::vector<std::string>& args, const Beyond* beyond) {
  po::options_description options;
  describe(command, options);
  options.add(everywhere).add_options()("words", po::value<std::vector<std::string>>());
  po::positional_options_description positions;
  positions.add("words", -1);
  po::variables_map found;
  po::store(
      po::command_line_parser(args).options(options).positional(positions).style(kStyle).run(),
      found);
  Call call;
  for (const auto& [name, value] : found) {
    if (name == "words") continue;
    const auto* const text = boost::any_cast<std::string>(&value.value());
    call.options[name] = text != nullptr ? *text : "";
    if (const auto* const many = boost::any_cast<std::vector<std::string>>(&value.value())) {
      for (const std::string& one : *many) {
        call.options[name] += (call.options[name].empty() ? "" : ",") + one;
      }
    }
  }
  if (call.has("help")) return call;
  po::notify(found);
  call.words = found["words"].as<std::vector<std::string>>();
  find_command(call.words, beyond);
  call.json_wanted = call.has("json");
  return call;
}

// What the command line says, else the environment, else what is usual.
std::string from_outside(const Call& call, const char* option, const char* variable,
                         const std::string& usual) {
  if (call.has(option)) return call.text(option);
  const char* const value = std::getenv(variable);
  return value != nullptr ? value : usual;
}

int dispatch(const std::vector<std::string>& args, std::ostream& out, std::ostream& err,
             const Beyond* beyond) {
  po::options_description everywhere;
  global_options(everywhere);
  std::vector<std::string> first = words_of(args, everywhere);
  const Command* command = find_command(first, beyond);
  if (command == nullptr) {
    if (args.size() == 1 && args[0] == "--describe-commands") {
      describe_commands(out, beyond);
      return kDone;
    }
    if (args.size() == 1 && args[0] == "--describe-metrics") {
      out << markdown_crm_metrics();
      return kDone;
    }
    if (std::find(args.begin(), args.end(), "--version") != args.end()) {
      out << "welcome-crm " << kVersion << '\n';
      return kDone;
    }
    const bool help = args.empty() || std::find(args.begin(), args.end(), "--help") != args.end() ||
                      std::find(args.begin(), args.end(), "-h") != args.end() ||
                      (first.size() == 1 && first[0] == "help");
    if (!help) throw Usage("unknown command \"" + (first.empty() ? args[0] : first[0]) + "\"");
    print_help(out, beyond);
    return args.empty() ? kUsage : kDone;
  }

  Call call = parsed(*command, everywhere, args, beyond);
  if (call.has("help")) {
    print_help(*command, out);
    return kDone;
  }
  call.out = &out;
  call.err = &err;
  call.beyond = beyond;
  call.url = from_outside(call, "database", kDatabaseVariable, kDefaultDatabase);
  call.keys =
      from_outside(call, "signing-keys", kKeysVariable, SigningKeys::usual_folder(call.url));
  return command->run(call);
}

}  // namespace
}  // namespace cli

int run(const std::vector<std::string>& args, std::ostream& out, std::ostream& err,
        const cli::Beyond* beyond) {
  try {
    if (sodium_init() < 0) throw std::runtime_error("libsodium does not start");
    return cli::dispatch(args, out, err, beyond);
  } catch (const cli::Usage& error) {
    err << "welcome-crm: " << error.what() << "\nTry welcome-crm --help\n";
    return kUsage;
  } catch (const boost::program_options::error& error) {
    err << "welcome-crm: " << error.what() << "\nTry welcome-crm --help\n";
    return kUsage;
  } catch (const std::exception& error) {
    err << "welcome-crm: " << error.what() << "\n";
    return kFailed;
  }
}

}  // namespace welcome::crm
