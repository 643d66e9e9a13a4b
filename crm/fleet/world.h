// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a fleet needs around it: a mosquitto and a welcome-crm of its own on loopback, in a
// temporary folder, ended by their process ids.

#include <cstdint>
#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

namespace welcome::fleet {

class World {
 public:
  // Throws when a program cannot be started.
  explicit World(const std::string& crm_program);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void start_broker();
  void kill_broker();
  void start_crm();

  std::uint16_t port() const { return port_; }
  std::string database() const { return (folder_ / "crm.db").string(); }
  pid_t crm() const { return crm_; }
  pid_t broker() const { return broker_; }

 private:
  pid_t spawn(std::vector<std::string> words, const std::string& log) const;

  std::string crm_program_;
  std::filesystem::path folder_;
  std::uint16_t port_ = 0;
  pid_t broker_ = 0;
  pid_t crm_ = 0;
};

// Resident memory of a process in MiB.
double resident_mib(pid_t pid);

}  // namespace welcome::fleet
