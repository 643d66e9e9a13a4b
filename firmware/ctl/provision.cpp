// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/provision.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <sodium.h>
#include <string_view>
#include <thread>
#include <unistd.h>

#include "core/rfc3339.h"
#include "firmware/control/box_keys.h"
#include "firmware/ctl/box_key.h"
#include "firmware/ctl/client.h"
#include "firmware/ctl/floor.h"
#include "firmware/ctl/http.h"
#include "firmware/ctl/print.h"
#include "firmware/ctl/process.h"
#include "firmware/ctl/reset.h"
#include "firmware/ctl/set_up.h"
#include "firmware/ctl/settings.h"
#include "firmware/ctl/terminal.h"
#include "provision/broker_files.h"
#include "provision/invitation.h"

namespace welcome::ctl {

namespace {

namespace fs = std::filesystem;

using namespace std::chrono_literals;
using nlohmann::json;
using provision::Invitation;
using provision::InvitationCode;

constexpr std::string_view kCredstore = "/etc/credstore";
constexpr std::size_t kFileMost = 128UL * 1024;
// A line comes up in seconds; a snapshot of a large company over a slow one takes longer.
constexpr auto kPatience = 3min;
constexpr auto kLook = 500ms;

constexpr const char* kNotInvited =
    "head office's door knows no such invitation, or not any more: it has ended, was taken back, "
    "or another machine has it. Ask for a new one (welcome-crm boxes invite), and whether "
    "`welcome-crm boxes` shows that somebody tried the code";

void tell(const std::string& text) { std::cerr << for_terminal(text) << std::endl; }

tl::unexpected<Error> refusal(const char* what, ErrorCode code = ErrorCode::refused) {
  return fail(code, what);
}

Result<std::string> sealed_in(const std::string& answer) {
  const json body = json::parse(answer, nullptr, false);
  const auto sealed = body.is_object() ? body.find("sealed") : body.end();
  if (!body.is_object() || sealed == body.end() || !sealed->is_string()) {
    return refusal("this is no invitation", ErrorCode::malformed);
  }
  return sealed->get<std::string>();
}

Result<std::string> sealed_in_file(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text(kFileMost, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.empty()) return fail(ErrorCode::not_found, file + " cannot be read, or is empty");
  auto sealed = sealed_in(text);
  if (!sealed) return fail(ErrorCode::malformed, file + ": " + sealed.error().message);
  return sealed;
}

Result<std::string> sealed_by_door(const std::string& door, const InvitationCode& code,
                                   const control::KeyBytes& box_key) {
  control::KeyBytes seed = control::signing_seed(box_key);
  const auto request = provision::request_by(code, seed);
  sodium_memzero(seed.data(), seed.size());
  const auto answer = post_json(door + "/v1/provision", json{{"invitation", request.invitation},
                                                             {"box_key", request.box_key},
                                                             {"proof", request.proof},
                                                             {"box_proof", request.box_proof}}
                                                            .dump());
  if (!answer) return tl::unexpected(answer.error());
  switch (answer->status) {
    case 200:
      return sealed_in(answer->body);
    case 403:
      return refusal(kNotInvited);
    case 429:
      return refusal("too many tries from here: once more in a minute", ErrorCode::unavailable);
    case 502:
    case 503:
    case 504:
      return refusal("head office's door is there, but not what is behind it: later again",
                     ErrorCode::unavailable);
    default:
      return fail(ErrorCode::malformed, door + " is not the door of a welcome-crm (it answers " +
                                            std::to_string(answer->status) + ")");
  }
}

// A file has no door that looks at the time. As far as this machine knows it.
bool is_over(const Invitation& invitation) {
  const auto ends = from_rfc3339(invitation.expires_at);
  return !ends || *ends < std::chrono::system_clock::now();
}

// The work, step after step; each is nothing new where it was done before.
class Provisioning {
 public:
  Provisioning(const ProvisionCommand& command, InvitationCode code, std::string door)
      : command_(command),
        code_(std::move(code)),
        door_(std::move(door)),
        places_(places_of(command)) {
    key_.plain = places_.credential("box-key").string();
    if (by_systemd()) return;
    key_.sealed = key_.drop_in = "";
    ::setenv("CREDENTIALS_DIRECTORY", places_.credentials.c_str(), 1);  // for its check
  }

  Result<void> all() {
    for (const auto step : {&Provisioning::may_write, &Provisioning::invited,
                            &Provisioning::same_box, &Provisioning::secrets, &Provisioning::floor,
                            &Provisioning::configuration, &Provisioning::checked,
                            &Provisioning::seal, &Provisioning::start, &Provisioning::first_sync}) {
      if (auto done = (this->*step)(); !done) return done;
    }
    return {};
  }

  json answer() const {
    return {{"box", address_of(invitation_)},
            {"floor", floor_},
            {"key", key_.sealed.empty() || !fs::exists(key_.sealed) ? "plain" : "sealed"}};
  }

 private:
  static BoxPlaces places_of(const ProvisionCommand& command) {
    if (command.credentials.empty()) return {fs::absolute(command.config), kCredstore};
    return {fs::absolute(command.config), fs::absolute(command.credentials), ""};
  }
  bool by_systemd() const { return command_.credentials.empty(); }

  Result<void> may_write() {
    // The service would end it at its start, and take with it what is written now.
    if (by_systemd() && Reset().begun()) {
      return refusal("a factory reset was begun here: end it first, welcomectl factory-reset");
    }
    for (const fs::path& place : {places_.config.parent_path(), places_.credentials}) {
      if (!fs::exists(place) || ::access(place.c_str(), W_OK) == 0) continue;
      return fail(ErrorCode::refused,
                  "cannot write into " + place.string() + ": as root it may go");
    }
    return {};
  }

  Result<void> invited() {
    auto key = box_key_or_new(key_);
    if (!key) return tl::unexpected(key.error());
    if (!door_.empty()) tell("Asking " + door_ + " …");
    const auto sealed = command_.invitation.empty() ? sealed_by_door(door_, code_, *key)
                                                    : sealed_in_file(command_.invitation);
    sodium_memzero(key->data(), key->size());
    if (!sealed) return tl::unexpected(sealed.error());
    auto opened = provision::open(code_, *sealed);
    if (!opened) return tl::unexpected(opened.error());
    invitation_ = *std::move(opened);
    if (!command_.invitation.empty() && is_over(invitation_)) {
      return fail(ErrorCode::refused, "this invitation ended at " + invitation_.expires_at +
                                          ": ask for a new one. Or is this machine's date wrong "
                                          "(timedatectl)?");
    }
    if (auto good = check_words(invitation_); !good) return good;
    tell("This machine is invited as " + address_of(invitation_) + ".");
    return {};
  }

  Result<ToldSettings> settings() const { return told_settings(command_.welcomed, places_.config); }

  // demo/aroma-1/box-1; empty: it is none yet.
  static std::string box_in(const ToldSettings& told) {
    std::string out;
    for (const char* key : {"box.tenant", "box.store", "box.id"}) {
      const std::string word = told.value(key);
      if (word.empty()) return {};
      out += (out.empty() ? "" : "/") + word;
    }
    return out;
  }

  Result<void> same_box() {
    const auto read = settings();
    if (!read) return tl::unexpected(read.error());
    const std::string now = box_in(*read);
    if (command_.again || now.empty() || now == address_of(invitation_)) return {};
    return fail(ErrorCode::refused,
                "this machine is " + now + ", and the invitation is for " +
                    address_of(invitation_) +
                    ". If it moves there: welcomectl factory-reset first, so that it keeps "
                    "nobody's data (--again moves it with all that it holds)");
  }

  Result<void> secrets() { return write_credentials(invitation_, places_); }

  // Where the floor's broker is on another machine, it gives the account.
  Result<void> floor() {
    if (!fs::exists(fs::path(command_.broker_files) / "passwords")) return {};
    const auto put = put_box_account({invitation_.box, command_.broker_files,
                                      places_.credential("floor-password").string(), false});
    if (!put) return tl::unexpected(put.error());
    floor_ = true;
    if (!reload_floor()) say_not_reloaded();
    return {};
  }

  Result<void> configuration() {
    if (auto done = write_configuration(invitation_, places_); !done) return done;
    tell("Written: " + places_.provisioned().string() + ", and what it names.");
    return {};
  }

  // What is wrong, it would not start with; what it lacks may be plugged in yet.
  Result<void> checked() {
    const auto read = settings();
    if (!read) return tl::unexpected(read.error());
    for (const auto* lines : {&read->wrong, &read->missing}) {
      for (const auto& line : *lines) tell("  " + line);
    }
    if (!read->wrong.empty()) {
      return refusal(
          "the configuration is not good yet: mend what is named above, and say the same again");
    }
    const std::string now = box_in(*read);
    if (now == address_of(invitation_)) return {};
    return fail(ErrorCode::refused, "another file of " +
                                        places_.provisioned().parent_path().string() +
                                        " comes later and makes this machine " + now +
                                        ": take [box] out of it, and say the same again");
  }

  // A box whose key stays plain works; it says so.
  Result<void> seal() {
    if (!by_systemd()) return {};
    const bool plain = fs::exists(key_.plain);
    if (!plain && fs::exists(key_.drop_in)) return {};
    const auto done = seal_key(key_);
    if (done) {
      tell(std::string("The box key is sealed by ") +
           (has_tpm() ? "this machine's TPM." : "a key on this machine's disk: it has no TPM."));
    } else {
      tell("The box key stays a plain file: " + done.error().message +
           ". Later: welcomectl key seal");
    }
    return {};
  }

  Result<void> start() {
    if (!by_systemd()) {
      tell("Start welcomed with CREDENTIALS_DIRECTORY=" + places_.credentials.string() + " now.");
      return {};
    }
    tell("Starting welcomed …");
    const auto enabled = output_of({"systemctl", "--quiet", "enable", "welcomed"});
    const auto started = enabled ? output_of({"systemctl", "restart", "welcomed"}) : enabled;
    if (started) return {};
    return fail(ErrorCode::refused, started.error().message +
                                        ": journalctl -u welcomed -n 20 says why. Everything is "
                                        "written; systemctl restart welcomed tries it again");
  }

  Result<void> first_sync() {
    std::string said;
    const auto until = std::chrono::steady_clock::now() + kPatience;
    stop_on_signals();
    for (;;) {
      const auto status = ask(command_.socket, control::CommandId::status);
      const std::string waits = status ? waits_for(*status) : status.error().message;
      if (waits.empty()) return {};
      if (waits != said) tell("Waiting: " + waits);
      said = waits;
      if (stop_wanted() || std::chrono::steady_clock::now() > until) break;
      std::this_thread::sleep_for(kLook);
    }
    return fail(ErrorCode::refused, "everything is written and welcomed runs, but: " + said +
                                        ". It goes on trying; welcomectl doctor shows it");
  }

  const ProvisionCommand& command_;
  const InvitationCode code_;
  const std::string door_;
  const BoxPlaces places_;
  BoxKeyPlace key_;
  Invitation invitation_;
  bool floor_ = false;
};

std::string ask_for_code(std::istream& in) {
  if (::isatty(STDIN_FILENO) == 1) std::cerr << "Code, or the link: " << std::flush;
  std::string line;
  std::getline(in, line);
  return line;
}

void print_next(const ProvisionCommand& command, const json& answer) {
  if (command.json) {
    std::cout << answer.dump() << '\n';
    return;
  }
  std::string next = answer.at("box").get<std::string>() +
                     " is set up: the line is up, and head office has sent what it needs.\nNext:\n";
  next += answer.at("floor").get<bool>()
              ? "  welcomectl tablet add NAME --page https://…/tablet/\n"
              : "  an account at the shop's broker, which is not on this machine: technician.md, "
                "\"The shop's broker and page\"\n";
  std::cout << for_terminal(next) << "  welcomectl doctor\n";
}

}  // namespace

Result<CodeAndDoor> code_and_door(const std::string& typed) {
  if (typed.find("://") == std::string::npos) return CodeAndDoor{typed, ""};
  const auto hash = typed.find('#');
  if (hash == std::string::npos)
    return refusal("the link has no code behind a #", ErrorCode::malformed);
  const auto door = origin_of(typed.substr(0, hash));
  if (!door) {
    return refusal("the link leads to no door: it begins with https://", ErrorCode::malformed);
  }
  return CodeAndDoor{typed.substr(hash + 1), *door};
}

int provision_box(const ProvisionCommand& command, std::istream& in) {
  const bool asked = command.code.empty() || command.code == "-";
  const auto typed = code_and_door(asked ? ask_for_code(in) : command.code);
  if (!typed) return failed(typed.error().message, kUsage);
  auto code = InvitationCode::read(typed->code);
  if (!code) return failed(code.error().message, kUsage);
  std::string door;
  if (command.invitation.empty()) {
    const auto said = command.door.empty() ? typed->door : origin_of(command.door);
    if (!said) return failed("--door is an address like https://my.example.com", kUsage);
    if (said->empty()) {
      return failed("say --door https://… too, or the whole link; both stand on the invitation",
                    kUsage);
    }
    door = *said;
  }
  Provisioning work(command, *std::move(code), door);
  if (const auto done = work.all(); !done) return failed(done.error().message);
  print_next(command, work.answer());
  return kDone;
}

}  // namespace welcome::ctl
