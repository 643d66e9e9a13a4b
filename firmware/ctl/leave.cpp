// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/leave.h"

#include <csignal>
#include <iostream>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "firmware/ctl/client.h"
#include "firmware/ctl/print.h"
#include "firmware/ctl/reset.h"
#include "firmware/ctl/settings.h"
#include "firmware/ctl/terminal.h"

namespace welcome::ctl {

namespace {

namespace fs = std::filesystem;

constexpr const char* kGone =
    "the box key (whatever it has sealed is unreadable from then on), the database and "
    "recordings,\n"
    "passwords, what welcomectl provision has written, and the accounts at the floor's broker";

// Which box this is, and where its state lies: what welcomed reads, as far as it can.
struct Leaving {
  std::string name = "welcomed";
  std::string state_dir = "/var/lib/welcomed";
};
Leaving leaving(const LeaveCommand& command) {
  Leaving out;
  const auto told = told_settings(command.welcomed, command.root / "etc/welcomed/welcomed.conf");
  if (!told) return out;
  if (const std::string id = told->value("box.id"); !id.empty()) out.name = id;
  if (told->setting("box.state_dir") != nullptr) out.state_dir = told->value("box.state_dir");
  return out;
}

// Somebody who types the name of this box means this box.
bool is_meant(const LeaveCommand& command, const std::string& name) {
  if (command.yes) return true;
  std::cerr << "This destroys for good: " << kGone
            << (command.all ? ";\nand the configuration, as it was before anybody wrote it" : "")
            << ".\nType the name of the box (" << for_terminal(name)
            << ") to go on: " << std::flush;
  std::string typed;
  return std::getline(std::cin, typed) && typed == name;
}

int end(const LeaveCommand& command, const Result<void>& done) {
  if (!done) {
    return failed(done.error().message +
                  ". It is begun: say the same again, or start the service, which ends it first");
  }
  if (command.json) {
    std::cout << nlohmann::json{{"reset", true}, {"all", command.all}}.dump() << '\n';
  } else {
    std::cout << "This machine is as installed: it has no key and nothing of anybody.\n";
  }
  return kDone;
}

// Before the service: that it was ended just now is no start of a box.
int finish_for_service(const LeaveCommand& command) {
  const Reset reset(command.root);
  const auto begun = reset.begun();
  if (!begun) return kDone;
  // What waited for head office waits no more, whatever is gone already.
  if (auto done = reset.begin(*begun); !done) return failed(done.error());
  if (auto done = reset.finish(*begun, true); !done) return failed(done.error());
  return failed("this machine was reset, and is no box any more");
}

constexpr std::int64_t kWait = 120;

// Head office is told, and has it; what it has is printed where it was not waited for. Errors: it
// has not, and the box is as it was.
Result<void> tell_head_office(const LeaveCommand& command, const std::string& name) {
  ProgressLine progress;
  Listener listener;
  listener.progress = [&](const std::string& text) { progress.show(for_terminal(text)); };
  const auto told =
      ask(command.socket, control::CommandId::retire,
          {{"seconds", command.without_proof ? 0 : command.seconds.value_or(kWait)}}, listener);
  progress.end();
  if (!told) {
    if (command.without_proof) return {};  // no daemon, and so nobody who could sign
    return fail(told.error().code,
                told.error().message + ". welcomed signs it: start it, or say --without-proof");
  }
  if (told->value("confirmed", false)) return {};
  const std::string proof = told->value("proof", "");
  if (!command.without_proof) {
    return fail(ErrorCode::refused,
                "head office has not taken it (" + told->value("waits_for", "") +
                    "), and nothing is destroyed. Say it again when the line is there, or say "
                    "--without-proof");
  }
  std::cerr << "For head office, of " << for_terminal(name)
            << ": welcome-crm boxes retired STORE/BOX --proof '" << for_terminal(proof) << "'\n";
  return {};
}

// The daemon ends by itself when head office has its word, so that nothing opens again what goes.
bool is_gone(const LeaveCommand& command) {
  constexpr int kTries = 100;
  constexpr useconds_t kBetween = 100'000;
  for (int i = 0; i < kTries; ++i, ::usleep(kBetween)) {
    const auto answer = ask(command.socket, control::CommandId::status);
    if (!answer && answer.error().code == ErrorCode::unavailable) return true;
  }
  return false;
}

// The file that a signal removes: written before the handler is there.
std::string& waiting_mark() {
  static std::string mark;
  return mark;
}

// While this lives, whoever ends the command (Ctrl-C, a lost terminal) has called it off. A pulled
// plug has not: then the start goes on with it.
class CalledOffBySignals {
 public:
  explicit CalledOffBySignals(const Reset& reset) {
    waiting_mark() = reset.mark().string();
    for (const int signal : kSignals) std::signal(signal, &call_off);
  }
  ~CalledOffBySignals() {
    for (const int signal : kSignals) std::signal(signal, SIG_DFL);
  }
  CalledOffBySignals(const CalledOffBySignals&) = delete;
  CalledOffBySignals& operator=(const CalledOffBySignals&) = delete;

 private:
  static constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
  static void call_off(int signal) {
    constexpr int kBySignal = 128;
    ::unlink(waiting_mark().c_str());
    ::_exit(kBySignal + signal);
  }
};

// Begun for good when this returns; with its plug pulled anywhere in here the box goes on being one
// until head office has its word, and not a moment longer.
Result<void> retire_with_proof(const LeaveCommand& command, const Reset& reset, ResetOrder order,
                               const std::string& name) {
  order.when_retired = true;
  if (auto noted = reset.begin(order); !noted) return noted;
  const CalledOffBySignals signals(reset);
  if (auto told = tell_head_office(command, name); !told) {
    if (auto off = reset.call_off(); !off) return off;
    return told;
  }
  order.when_retired = false;
  return reset.begin(order);
}

}  // namespace

int retire(const LeaveCommand& command) {
  if (::geteuid() != 0) return failed("only root can do that");
  const Reset reset(command.root);
  const auto begun = reset.begun();
  ResetOrder order{true, begun ? begun->state_dir : std::string()};
  if (!begun) {
    const Leaving box = leaving(command);
    order.state_dir = box.state_dir;
    LeaveCommand all = command;
    all.all = true;
    if (!is_meant(all, box.name)) return failed("nothing has changed");
    const auto told = command.without_proof ? tell_head_office(command, box.name)
                                            : retire_with_proof(command, reset, order, box.name);
    if (!told) return failed(told.error());
  }
  if (auto done = reset.begin(order); !done) return failed(done.error());
  if (!begun && !command.without_proof && !is_gone(command))
    return failed("welcomed does not end: stop it, and say the same again");
  return end(command, reset.finish(order, false));
}

int factory_reset(const LeaveCommand& command) {
  if (::geteuid() != 0) return failed("only root can do that");
  if (command.finish) return finish_for_service(command);
  const Reset reset(command.root);
  ResetOrder order{command.all, {}};
  if (const auto begun = reset.begun()) {
    order = *begun;
    order.all = order.all || command.all;
  } else {
    const Leaving box = leaving(command);
    order.state_dir = box.state_dir;
    if (!is_meant(command, box.name)) return failed("nothing has changed");
  }
  if (auto done = reset.begin(order); !done) return failed(done.error());
  return end(command, reset.finish(order, false));
}

}  // namespace welcome::ctl
