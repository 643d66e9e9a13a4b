// welcomectl: the technician's tool. It asks a running welcomed over its control socket; it can
// open neither the database nor the camera.

#include <boost/program_options.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <unistd.h>
#include <vector>

#include "firmware/ctl/client.h"
#include "firmware/ctl/metrics.h"
#include "firmware/ctl/print.h"
#include "firmware/ctl/radio.h"

namespace {

namespace po = boost::program_options;
using nlohmann::json;
using welcome::control::Request;

constexpr int kFailed = 1;  // the daemon is away or said no
constexpr int kUsage = 2;

struct Verb {
  const char* words;
  const char* parameter;  // name of its one operand, empty = none
  const char* what;
};

constexpr Verb kVerbs[] = {
    {"status", "", "links, radio, camera, counters, latency"},
    {"metrics", "", "the numbers of status in the Prometheus text format"},
    {"visits", "", "who is here, and the visits of today"},
    {"outbox", "", "messages that wait to be sent"},
    {"decisions", "", "the latest decisions, suppressed ones too"},
    {"why", "ID", "why a decision was made or suppressed, in plain words"},
    {"rehearse start", "",
     "invented customers on the tablets, for practice; nothing leaves the shop"},
    {"rehearse stop", "", "ends it"},
    {"recordings", "", "recorded days, oldest first"},
    {"replay", "RECORDING",
     "a recorded day (2026-11-21) or month again: are the decisions the same?"},
    {"enrol", "CUSTOMER", "make a face template from --clip FILE; needs the customer's consent"},
    {"customer export", "ID", "everything the box holds on a person, as JSON"},
    {"audit show", "", "the trail of exports, erasures, enrolments, consents and pauses"},
    {"audit verify", "", "checks the trail's hashes and signatures"},
    {"radio watch", "", "live table of what is heard: own identities, the rest as counts"},
    {"radio record", "FILE",
     "what is heard as a btsnoop file, '-' for standard output; strangers' addresses and payloads "
     "are left out"},
    {"radio calibrate", "", "walk test: stand at four places, and the zones' borders are set"},
    {"config check", "", "read the configuration files and say what is wrong"},
};

void print_help(const po::options_description& options) {
  std::cout << "welcomectl asks a running welcomed.\n\nUsage: welcomectl [OPTIONS] VERB\n\nVerbs\n";
  for (const auto& verb : kVerbs) {
    std::string left = std::string("  ") + verb.words + " " + verb.parameter;
    left.resize(26, ' ');
    std::cout << left << verb.what << '\n';
  }
  std::cout << '\n'
            << options << "\nExit codes: 0 done, 1 the daemon is away or refused, 2 wrong usage.\n";
}

// welcomed as installed beside this program, or as the shell finds it.
std::string welcomed(const char* self) {
  const auto beside = std::filesystem::path(self).parent_path() / "welcomed";
  return std::filesystem::exists(beside) ? beside.string() : "welcomed";
}

// The daemon itself checks, so that this works while none runs.
int check_config(const char* self, const std::string& file) {
  const std::string program = welcomed(self);
  ::execlp(program.c_str(), program.c_str(), "--check", "--config", file.c_str(),
           static_cast<char*>(nullptr));
  std::cerr << "welcomectl: welcomed is not installed\n";
  return kFailed;
}

int usage(const std::string& message) {
  std::cerr << "welcomectl: " << message << "; see welcomectl --help\n";
  return kUsage;
}

int run(int argc, char** argv) {
  std::string socket, file, clip, campaigns, time, customer;
  std::int64_t max_mb = 0;
  po::options_description options("Options");
  options.add_options()(
      "socket,s",
      po::value<std::string>(&socket)->default_value(std::string(welcome::control::kDefaultSocket)),
      "the daemon's control socket")("json", "print the answer as JSON")(
      "clip", po::value<std::string>(&clip), "video file, for enrol")(
      "campaigns", po::value<std::string>(&campaigns),
      "for replay: JSON file with campaigns and policy as welcome-crm imports it, to take the "
      "place of those of the same id")(
      "config,c", po::value<std::string>(&file)->default_value("/etc/welcomed/welcomed.conf"),
      "configuration file, for config check and radio calibrate")(
      "for", po::value<std::string>(&time),
      "for radio: how long, as 45s, 10m or 2h; calibrate: at each place (20s)")(
      "max-mb", po::value<std::int64_t>(&max_mb)->default_value(1000),
      "for radio record: ends at that size")(
      "with-strangers",
      "for radio record: keeps addresses and payloads of everybody in reach, also of people who "
      "never agreed to anything. Only where the law and those present allow it; the audit trail "
      "notes it")("customer", po::value<std::string>(&customer),
                  "for radio calibrate: whose phone you carry; else the loudest")("help,h",
                                                                                  "print this");
  po::options_description hidden;
  hidden.add_options()("words", po::value<std::vector<std::string>>()->default_value({}, ""));
  po::options_description all;
  all.add(options).add(hidden);
  po::positional_options_description positions;
  positions.add("words", -1);

  po::variables_map values;
  try {
    po::store(po::command_line_parser(argc, argv).options(all).positional(positions).run(), values);
    po::notify(values);
  } catch (const po::error& e) {
    return usage(e.what());
  }
  if (values.count("help") != 0) {
    print_help(options);
    return 0;
  }

  const auto words = values["words"].as<std::vector<std::string>>();
  if (words.empty()) return usage("no verb");
  if (words.size() == 2 && words[0] == "config" && words[1] == "check") {
    return check_config(argv[0], file);
  }
  // A verb is one word or two.
  const Verb* verb = nullptr;
  std::size_t verb_words = 0;
  for (const auto& candidate : kVerbs) {
    const std::string two = words.size() > 1 ? words[0] + " " + words[1] : "";
    if (words[0] != candidate.words && two != candidate.words) continue;
    verb = &candidate;
    verb_words = words[0] == candidate.words ? 1 : 2;
  }
  if (verb == nullptr) return usage("unknown verb '" + words[0] + "'");

  Request request{verb->words, json::object()};
  const bool wants_operand = verb->parameter[0] != '\0';
  if (words.size() != verb_words + (wants_operand ? 1 : 0)) {
    return usage(std::string(verb->words) +
                 (wants_operand ? " takes one operand: " : " takes no operand") + verb->parameter);
  }
  if (request.command.starts_with("radio ")) {
    welcome::ctl::RadioCommand command{.verb = request.command,
                                       .operand = wants_operand ? words.back() : "",
                                       .socket = socket,
                                       .config = file,
                                       .welcomed = welcomed(argv[0]),
                                       .json = values.count("json") != 0,
                                       .with_strangers = values.count("with-strangers") != 0,
                                       .seconds = {},
                                       .max_bytes = max_mb * 1'000'000,
                                       .customer = customer};
    if (!time.empty()) command.seconds = welcome::ctl::duration_seconds(time);
    if (!time.empty() && !command.seconds)
      return usage("--for " + time + " is not like 45s or 10m");
    if (max_mb < 1 || max_mb > 1'000'000) return usage("--max-mb is out of range");
    return run_radio(command);
  }
  if (wants_operand) request.args["id"] = words.back();
  if (request.command == "enrol") {
    if (clip.empty()) return usage("enrol needs --clip FILE");
    request.args["clip"] = std::filesystem::absolute(clip).string();
  }

  if (!campaigns.empty()) {
    if (request.command != "replay") return usage("--campaigns is for replay");
    std::ifstream in(campaigns);
    if (!in) return usage("cannot read " + campaigns);
    request.args["rules"] = json::parse(in, nullptr, false);
    if (request.args["rules"].is_discarded()) return usage(campaigns + " is not JSON");
  }

  const bool metrics = request.command == "metrics";
  if (metrics) request.command = "status";

  welcome::ctl::Listener listener;
  listener.progress = [](const std::string& text) { std::cerr << text << std::endl; };
  const auto answer = welcome::ctl::ask(socket, request, listener);
  if (!answer) {
    std::cerr << "welcomectl: " << answer.error().message << '\n';
    return kFailed;
  }
  if (metrics) {
    std::cout << welcome::ctl::metrics(*answer);
  } else if (values.count("json") != 0) {
    std::cout << answer->dump() << '\n';
  } else {
    welcome::ctl::print(std::cout, *answer);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "welcomectl: " << e.what() << '\n';
    return kFailed;
  }
}
