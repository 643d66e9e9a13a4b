// SPDX-License-Identifier: Apache-2.0
#pragma once
// A real PostgreSQL of a test's own, on loopback, in a folder of its own, ended by its pid.
// PostgreSQL refuses to run as root, so for root it is the account `postgres` that runs it.

#include <pwd.h>

#include "tests/integration/link_broker.h"

namespace welcome::testing {

class Postgres {
 public:
  static std::string programs() {
    for (const char* version : {"15", "16", "17"}) {
      const std::string folder = std::string("/usr/lib/postgresql/") + version + "/bin";
      if (std::filesystem::exists(folder + "/initdb")) return folder;
    }
    return "";
  }
  static bool installed() {
    return !programs().empty() && (geteuid() != 0 || getpwnam("postgres") != nullptr);
  }

  Postgres() : port_(free_port()) {
    if (geteuid() == 0) {
      const passwd* account = getpwnam("postgres");
      if (chown(dir_.path().c_str(), account->pw_uid, account->pw_gid) != 0) {
        throw std::runtime_error("cannot give the folder to postgres");
      }
      as_ = {"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"};
    }
    const std::string data = (dir_ / "data").string();
    if (run_program(words({programs() + "/initdb", "-D", data, "-U", "welcome", "--auth=trust",
                           "--no-sync"})) != 0) {
      throw std::runtime_error("initdb failed");
    }
    process_ = std::make_unique<Process>(
        words({programs() + "/postgres", "-D", data, "-k", dir_.path().string(), "-h", "127.0.0.1",
               "-p", std::to_string(port_)}));
    for (int i = 0; i < 1000; ++i) {
      if (run_program({programs() + "/pg_isready", "-q", "-h", "127.0.0.1", "-p",
                       std::to_string(port_)}) == 0) {
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
    }
    throw std::runtime_error("postgres does not answer");
  }
  ~Postgres() {
    if (process_) process_->stop(SIGINT);  // "fast" shutdown
  }

  std::string url() const {
    return "postgresql://welcome@127.0.0.1:" + std::to_string(port_) + "/postgres";
  }

 private:
  std::vector<std::string> words(std::vector<std::string> command) const {
    command.insert(command.begin(), as_.begin(), as_.end());
    return command;
  }

  TempDir dir_;
  std::uint16_t port_;
  std::vector<std::string> as_;
  std::unique_ptr<Process> process_;
};

}  // namespace welcome::testing
