// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/verbs.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <unistd.h>
#include <utility>

#include "core/version.h"
#include "firmware/control/commands.h"
#include "firmware/control/wrapped.h"
#include "firmware/ctl/box_key.h"
#include "firmware/ctl/client.h"
#include "firmware/ctl/config.h"
#include "firmware/ctl/diag.h"
#include "firmware/ctl/doctor_text.h"
#include "firmware/ctl/floor.h"
#include "firmware/ctl/leave.h"
#include "firmware/ctl/metrics.h"
#include "firmware/ctl/print.h"
#include "firmware/ctl/provision.h"
#include "firmware/ctl/radio.h"
#include "firmware/ctl/status_text.h"
#include "firmware/ctl/support.h"
#include "firmware/ctl/tablets.h"
#include "firmware/ctl/watch.h"
#include "provision/files.h"

namespace welcome::ctl {

namespace {

using control::CommandId;
using nlohmann::json;

// Of the floor's broker, as the package welcome-floor has it.
constexpr std::string_view kDefaultBroker = "/etc/welcome-floor";
constexpr std::size_t kSupportLabel = 11;
constexpr std::string_view kDefaultConfig = "/etc/welcomed/welcomed.conf";

constexpr std::array kCommon{
    Option{"socket", "s", "PATH", "the daemon's control socket (/run/welcomed/control.sock)"},
    Option{"json", "", "", "print the answer as JSON, all of it"},
    Option{"help", "h", "", "print this, or the help of a verb"},
    Option{"version", "", "", "print the version"},
};
constexpr std::array kSpecial{
    Option{"broker-files", "", "DIR",
           "folder with `passwords` and `acl` of the floor's broker (/etc/welcome-floor)"},
    Option{"clip", "", "FILE", "the video file"},
    Option{"campaigns", "", "FILE",
           "JSON file with campaigns and policy as welcome-crm imports it, to take the place of "
           "those of the same id"},
    Option{"config", "c", "FILE", "configuration file (/etc/welcomed/welcomed.conf)"},
    Option{"file", "", "FILE",
           "of the box key (welcomed.box-key in /etc/credstore, or sealed in "
           "/etc/credstore.encrypted)"},
    Option{"password-file", "", "FILE",
           "where its password goes (/etc/credstore/welcomed.floor-password)"},
    Option{"for", "", "TIME",
           "how long, as 45s, 10m or 2h; calibrate: at each place (20s); retire: for head office "
           "(2m)"},
    Option{"max-mb", "", "N", "ends at that size (1000)"},
    Option{"with-strangers", "", "",
           "keeps addresses and payloads of everybody in reach, also of people who never agreed to "
           "anything. Only where the law and those present allow it; the audit trail notes it"},
    Option{"openmetrics", "", "", "as OpenMetrics 1.0, and not in the older text format"},
    Option{"output", "o", "FILE", "write it there, whole or not at all"},
    Option{"page", "", "URL", "of the tablets' page in this shop: https://…/tablet/"},
    Option{"yes", "y", "", "do not ask: the clock was compared, the box is meant"},
    Option{"all", "", "", "the owner's own configuration, too"},
    Option{"without-proof", "", "",
           "do not wait for head office: what the box signs is printed, if welcomed runs"},
    Option{"finish", "", "", "end one that was begun, which the service says at its start"},
    Option{"root", "", "DIR", "where the box's disk is mounted, if it is another machine's (/)"},
    Option{"apply", "", "", "reload or restart welcomed, whichever it takes"},
    Option{"customer", "", "ID", "whose phone you carry; else the loudest"},
    Option{"door", "", "URL",
           "head office's door, https://…, where the code does not come as a link"},
    Option{"invitation", "", "FILE", "the invitation, on a stick: then nothing needs a line"},
    Option{"credentials", "", "DIR",
           "of a welcomed that systemd does not start: its $CREDENTIALS_DIRECTORY. The box key "
           "stays a "
           "plain file"},
    Option{"again", "", "", "also when this machine is another box now"},
};

// ---- what verbs do

int usage(const std::string& message) {
  return failed(message + "; see welcomectl --help", kUsage);
}

Result<json> ask(const Call& call, CommandId id, json arguments, control::OpenFile file = nullptr) {
  Listener listener;
  listener.progress = [](const std::string& text) { std::cerr << for_terminal(text) << std::endl; };
  return ask(call.text("socket", control::kDefaultSocket),
             {std::string(control::command(id).name), std::move(arguments), std::move(file)},
             listener);
}

int show(const Call& call, const Result<json>& answer) {
  if (!answer) return failed(answer.error());
  if (call.has("json")) {
    // ASCII alone: what a terminal would obey is escaped, and a program reads the same.
    std::cout << answer->dump(-1, ' ', true) << '\n';
  } else {
    print(std::cout, *answer);
  }
  return kDone;
}

// A command whose one argument, if it has any, is the operand.
template <CommandId id>
int plain(const Verb& verb, const Call& call) {
  json arguments = json::object();
  if (!verb.operand.empty()) arguments["id"] = call.operand;
  return show(call, ask(call, id, std::move(arguments)));
}

int status(const Verb& /*verb*/, const Call& call) {
  const auto answer = ask(call, CommandId::status, json::object());
  if (!answer || call.has("json")) return show(call, answer);
  std::cout << for_terminal(status_text(*answer));
  return kDone;
}

int doctor(const Verb& /*verb*/, const Call& call) {
  const auto answer = ask(call, CommandId::doctor, json::object());
  if (!answer) {
    const int code = failed(answer.error());
    if (code == kAway)
      std::cerr
          << "Nothing else can be seen then: systemctl status welcomed; welcomectl config check\n";
    return code;
  }
  if (call.has("json")) {
    show(call, answer);
  } else {
    std::cout << doctor_text(*answer, ::isatty(STDOUT_FILENO) == 1);
  }
  return is_well(*answer) ? kDone : kRefused;
}

int camera_check(const Verb& /*verb*/, const Call& call) {
  json arguments = json::object();
  if (!call.operand.empty()) arguments["name"] = call.operand;
  const auto answer = ask(call, CommandId::camera_check, std::move(arguments));
  if (!answer || call.has("json")) return show(call, answer);
  std::cout << for_terminal(camera_text(*answer));
  return kDone;
}

// A box that is away has a metric too.
int print_metrics(const Verb& /*verb*/, const Call& call) {
  const auto answer = ask(call, CommandId::status, json::object());
  const std::string text =
      metrics(answer.value_or(json()),
              call.has("openmetrics") ? MetricsForm::openmetrics : MetricsForm::prometheus);
  if (const std::string file = call.text("output"); file.empty()) {
    std::cout << text;
  } else if (!provision::replace_public(file, text)) {
    return failed(file + ": " + std::strerror(errno));
  }
  return answer ? kDone : failed(answer.error());
}

int show_clock(const Call& call, const Result<json>& answer) {
  if (!answer || call.has("json")) return show(call, answer);
  std::cout << for_terminal(clock_text(*answer));
  return kDone;
}

int clock(const Verb& /*verb*/, const Call& call) {
  return show_clock(call, ask(call, CommandId::clock, json::object()));
}

// Asked on the error stream: what is piped away is the answer alone.
int trust_clock(const Verb& /*verb*/, const Call& call) {
  const auto is = ask(call, CommandId::clock, json::object());
  if (!is) return failed(is.error());
  const std::string shown = is->value("machine", "");
  if (!call.has("yes")) {
    std::cerr << "The machine's clock shows " << shown
              << " (UTC).\nCompare it with a watch that you trust. Is it right within a minute? "
                 "[yes/no] "
              << std::flush;
    std::string word;
    if (!std::getline(std::cin, word) || (word != "yes" && word != "y")) {
      return failed("not trusted; timedatectl set-time sets it");
    }
  }
  return show_clock(call, ask(call, CommandId::clock_trust, {{"shown", shown}}));
}

BoxKeyPlace box_key(const Call& call) {
  return call.has("file") ? BoxKeyPlace{call.text("file"), "", ""} : BoxKeyPlace{};
}

int key_new(const Verb& /*verb*/, const Call& call) {
  const auto done = begin_key_change(box_key(call));
  if (!done) return failed(done.error());
  return show(call, json{{"next", "systemctl restart welcomed && welcomectl key settle"}});
}

// The old key goes when the box says that it does without.
int key_settle(const Verb& /*verb*/, const Call& call) {
  const auto status = ask(call, CommandId::status, json::object());
  if (!status) return failed(status.error());
  if (!status->at("box").value("key_changing", false)) {
    return failed("welcomed does not have the new key yet: systemctl restart welcomed");
  }
  const auto done = end_key_change(box_key(call));
  if (!done) return failed(done.error());
  return show(call, json{{"done", "the old box key opens nothing any more"}});
}

int key_seal(const Verb& /*verb*/, const Call& call) {
  const auto done = seal_key({});
  if (!done) return failed(done.error());
  return show(call, json{{"sealed by", has_tpm() ? "this machine's TPM and a key on its disk"
                                                 : "a key on this machine's disk: it has no TPM"},
                         {"next", "systemctl restart welcomed"}});
}

int enrol(const Verb& /*verb*/, const Call& call) {
  if (!call.has("clip")) return usage("enrol needs --clip FILE");
  // Not its name: the service may not see this file, and its name need not be text.
  const std::string clip = call.text("clip");
  auto file = control::own(::open(clip.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) return failed(clip + ": " + std::strerror(errno));
  return show(call, ask(call, CommandId::enrol, {{"id", call.operand}}, std::move(file)));
}

int replay(const Verb& /*verb*/, const Call& call) {
  json arguments{{"id", call.operand}};
  if (call.has("campaigns")) {
    const std::string file = call.text("campaigns");
    std::ifstream in(file);
    if (!in) return usage("cannot read " + file);
    arguments["rules"] = json::parse(in, nullptr, false);
    if (!arguments["rules"].is_object()) return usage(file + " is no JSON object");
  }
  return show(call, ask(call, CommandId::replay, std::move(arguments)));
}

// welcomed as installed beside this program, or as the shell finds it.
std::string welcomed(const std::string& self) {
  const auto beside = std::filesystem::path(self).parent_path() / "welcomed";
  return std::filesystem::exists(beside) ? beside.string() : "welcomed";
}

// The daemon itself checks, so that this works while none runs.
int check_config(const Verb& /*verb*/, const Call& call) {
  const std::string program = welcomed(call.self);
  const std::string file = call.text("config", kDefaultConfig);
  ::execlp(program.c_str(), program.c_str(), "--check", "--config", file.c_str(),
           static_cast<char*>(nullptr));
  return failed("welcomed is not installed");
}

template <int (*kRun)(const ConfigCommand&)>
int config(const Verb& /*verb*/, const Call& call) {
  return kRun({call.operands, call.text("config", kDefaultConfig), welcomed(call.self),
               call.text("socket", control::kDefaultSocket), call.has("apply"), call.has("json")});
}

int set_config(const Verb& verb, const Call& call) {
  if (call.operands.size() % 2 != 0) return usage("config set takes pairs: KEY VALUE");
  return config<config_set>(verb, call);
}

int radio(const Verb& verb, const Call& call) {
  RadioCommand command;
  command.verb = verb.words;
  command.operand = call.operand;
  command.socket = call.text("socket", control::kDefaultSocket);
  command.config = call.text("config", kDefaultConfig);
  command.welcomed = welcomed(call.self);
  command.json = call.has("json");
  command.with_strangers = call.has("with-strangers");
  command.customer = call.text("customer");
  if (call.has("for")) {
    command.seconds = duration_seconds(call.text("for"));
    if (!command.seconds) return usage("--for " + call.text("for") + " is not like 45s or 10m");
  }
  const std::string size = call.text("max-mb", "1000");
  std::int64_t megabytes = 0;
  const auto [end, bad] = std::from_chars(size.data(), size.data() + size.size(), megabytes);
  if (bad != std::errc() || end != size.data() + size.size() || megabytes < 1 ||
      megabytes > 1'000'000) {
    return usage("--max-mb " + size + " is not 1 to 1000000");
  }
  command.max_bytes = megabytes * 1'000'000;
  return run_radio(command);
}

int watch(const Verb& verb, const Call& call) {
  if (call.has("json")) return plain<CommandId::status>(verb, call);
  return watch_box(call.text("socket", control::kDefaultSocket));
}

// Asks nobody: it is true of what is installed.
int support(const Verb& /*verb*/, const Call& call) {
  const std::pair<const char*, std::string> said[] = {
      {"version", std::string("welcomed ") + kVersion},
      {"supported", kSupported},
      {"ends", kSupportEnds == std::string_view("not set")
                   ? "not set: nobody has said until which day this version is supported"
                   : std::string("this version is supported until ") + kSupportEnds},
      {"security", std::string("report a hole ") + kReport + ": SECURITY.md"},
      {"help", "welcomectl diag collect writes one file with what whoever helps you wants to know"},
      {"licences",
       "Apache-2.0; copyright and NOTICE in /usr/share/doc/welcomed have those of all parts"},
      {"documents", "/usr/share/doc/welcomed; begin with technician.md"}};
  json all = json::object();
  for (const auto& [name, text] : said) {
    all[name] = text;
    if (call.has("json")) continue;
    std::string label = name;
    label.resize(kSupportLabel, ' ');
    std::cout << label << control::wrapped(text, kSupportLabel) << '\n';
  }
  return call.has("json") ? show(call, all) : kDone;
}

int collect_diag(const Verb& /*verb*/, const Call& call) {
  return diag_collect({call.operand, call.text("socket", control::kDefaultSocket),
                       call.text("config", kDefaultConfig), welcomed(call.self), call.has("json")});
}

template <int (*kRun)(const FloorCommand&)>
int floor(const Verb& /*verb*/, const Call& call) {
  return kRun({call.operand, call.text("broker-files", kDefaultBroker),
               call.text("password-file", "/etc/credstore/welcomed.floor-password"),
               call.has("json")});
}

template <int (*kRun)(const LeaveCommand&)>
int leave(const Verb& /*verb*/, const Call& call) {
  LeaveCommand command;
  command.socket = call.text("socket", control::kDefaultSocket);
  command.without_proof = call.has("without-proof");
  if (call.has("for")) {
    command.seconds = duration_seconds(call.text("for"));
    if (!command.seconds) return usage("--for " + call.text("for") + " is not like 45s or 10m");
  }
  command.root = call.text("root", "/");
  command.welcomed = welcomed(call.self);
  command.all = call.has("all");
  command.yes = call.has("yes");
  command.finish = call.has("finish");
  command.json = call.has("json");
  return kRun(command);
}

template <int (*kRun)(const TabletCommand&)>
int tablet(const Verb& /*verb*/, const Call& call) {
  return kRun({call.operand, call.text("broker-files", kDefaultBroker), call.text("page"),
               call.text("socket", control::kDefaultSocket), call.has("json")});
}

int provision(const Verb& /*verb*/, const Call& call) {
  ProvisionCommand command;
  command.code = call.operand;
  command.door = call.text("door");
  command.invitation = call.text("invitation");
  command.config = call.text("config", kDefaultConfig);
  command.credentials = call.text("credentials");
  command.broker_files = call.text("broker-files", kDefaultBroker);
  command.socket = call.text("socket", control::kDefaultSocket);
  command.welcomed = welcomed(call.self);
  command.again = call.has("again");
  command.json = call.has("json");
  return provision_box(command, std::cin);
}

// ---- the table

const std::vector<Verb>& table() {
  const auto of = [](CommandId id) { return control::command(id).what; };
  using C = CommandId;
  static const std::vector<Verb> all{
      {kProvision,
       "[CODE]",
       "make this machine the box that head office has invited, by its one-time code or the link "
       "with it; without one it is asked for. Said again, it goes on where it was stopped",
       {"door", "invitation", "again", "config", "credentials", "broker-files"},
       provision},
      {"doctor", "", of(C::doctor), {}, doctor},
      {"status", "", of(C::status), {}, status},
      {"watch", "", "the box on one screen, again and again; q ends it", {}, watch},
      {"metrics",
       "",
       "the numbers of status for Prometheus",
       {"openmetrics", "output"},
       print_metrics},
      {"visits", "", of(C::visits), {}, plain<C::visits>},
      {"outbox", "", of(C::outbox), {}, plain<C::outbox>},
      {"decisions", "", of(C::decisions), {}, plain<C::decisions>},
      {"why", "ID", of(C::why), {}, plain<C::why>},
      {"rehearse start", "", of(C::rehearse_start), {}, plain<C::rehearse_start>},
      {"rehearse stop", "", of(C::rehearse_stop), {}, plain<C::rehearse_stop>},
      {"recordings", "", of(C::recordings), {}, plain<C::recordings>},
      {"replay", "RECORDING", of(C::replay), {"campaigns"}, replay},
      {"enrol", "CUSTOMER", of(C::enrol), {"clip"}, enrol},
      {"customer export", "ID", of(C::customer_export), {}, plain<C::customer_export>},
      {"audit show", "", of(C::audit_show), {}, plain<C::audit_show>},
      {"audit verify", "", of(C::audit_verify), {}, plain<C::audit_verify>},
      {"radio watch", "", of(C::radio_watch), {"for"}, radio},
      {"radio record", "FILE", of(C::radio_record), {"for", "max-mb", "with-strangers"}, radio},
      {"radio calibrate",
       "",
       "walk test: stand at four places, and the zones' borders are set",
       {"for", "customer", "config"},
       radio},
      {"identity clock", "ID", of(C::identity_clock), {}, plain<C::identity_clock>},
      {"camera check", "[NAME]", of(C::camera_check), {}, camera_check},
      {"clock", "", of(C::clock), {}, clock},
      {"clock trust", "", of(C::clock_trust), {"yes"}, trust_clock},
      {"tablet add",
       "NAME",
       "register a tablet: its account at the floor's broker, and a code for its camera",
       {"broker-files", "page"},
       tablet<tablet_add>},
      {"tablet revoke",
       "NAME",
       "take it back: its account, its connection, and who is signed in on it",
       {"broker-files"},
       tablet<tablet_revoke>},
      {"tablet list",
       "",
       "tablets, since when, who is signed in, and when they were heard",
       {"broker-files"},
       tablet<tablet_list>},
      {"floor add",
       "BOX",
       "give a box its account at the floor's broker; again: a new password",
       {"broker-files", "password-file"},
       floor<floor_add>},
      {"floor revoke",
       "BOX",
       "take a box's account at the floor's broker back, and its connection",
       {"broker-files"},
       floor<floor_revoke>},
      {"key new", "", "begin to change the box key: a second one in its file", {"file"}, key_new},
      {"key settle",
       "",
       "end it: the box has the new key, and the old one goes",
       {"file"},
       key_settle},
      {"key seal",
       "",
       "encrypt the box key for this machine (by its TPM, if it has one), and destroy the plain "
       "one",
       {},
       key_seal},
      {"config check",
       "",
       "read the configuration files and say all that is wrong",
       {"config"},
       check_config},
      {"config get",
       "[KEY]",
       "the value of a key; all, with where each comes from: file and line, or the default",
       {"config"},
       config<config_get>},
      {"config set",
       "KEY VALUE…",
       "write values into conf.d/90-local.conf, if the configuration is good with them",
       {"config", "apply"},
       set_config},
      {"config unset",
       "KEY",
       "take a key out of conf.d/90-local.conf",
       {"config", "apply"},
       config<config_unset>},
      {"config diff",
       "",
       "what is not as by default, and what was changed since welcomed read it",
       {"config"},
       config<config_diff>},
      {"reload", "", of(C::reload), {}, plain<C::reload>},
      {"factory-reset",
       "",
       "destroy the box key and all that the box has, so that this machine is as installed",
       {"all", "yes", "root", "finish"},
       leave<factory_reset>},
      {"support",
       "",
       "version, how long it is supported, whom to ask, and where the licences are",
       {},
       support},
      {"diag collect",
       "[FILE]",
       "what support wants to know of this box, as one .tar.gz; nothing of a person is in it",
       {"config"},
       collect_diag},
      {"retire",
       "",
       "tell head office with proof that this box is no more, and destroy all that it has",
       {"for", "yes", "root", "without-proof"},
       leave<retire>},
  };
  return all;
}

}  // namespace

std::string Call::text(std::string_view name, std::string_view fallback) const {
  const auto found = options.find(name);
  return found == options.end() ? std::string(fallback) : found->second;
}

std::span<const Verb> verbs() { return table(); }
std::span<const Option> common_options() { return kCommon; }
std::span<const Option> special_options() { return kSpecial; }

}  // namespace welcome::ctl
