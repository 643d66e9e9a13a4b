// SPDX-License-Identifier: Apache-2.0
#include "crm/fleet/world.h"

#include <arpa/inet.h>
#include <chrono>
#include <fcntl.h>
#include <fstream>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdexcept>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

extern char** environ;

namespace welcome::fleet {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

std::uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  const bool ok = bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(fd);
  if (!ok) throw std::runtime_error("there is no free port");
  return ntohs(address.sin_port);
}

bool answers(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const bool ok = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return ok;
}

void end(pid_t& pid, int signal) {
  if (pid <= 0) return;
  kill(pid, signal);
  waitpid(pid, nullptr, 0);
  pid = 0;
}

}  // namespace

World::World(const std::string& crm_program) : crm_program_(crm_program), port_(free_port()) {
  std::string name = (std::filesystem::temp_directory_path() / "welcome-fleet-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("there is no temporary folder");
  folder_ = name;
}

World::~World() {
  end(crm_, SIGTERM);
  end(broker_, SIGTERM);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

pid_t World::spawn(std::vector<std::string> words, const std::string& log) const {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const std::string file = (folder_ / log).string();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = 0;
  const int failed = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw std::runtime_error(words[0] + " does not start");
  return pid;
}

void World::start_broker() {
  const auto file = folder_ / "mosquitto.conf";
  std::ofstream(file) << "listener " << port_ << " 127.0.0.1\nallow_anonymous true\n"
                      << "persistence false\nmax_queued_messages 0\nmax_inflight_messages 200\n"
                      << (geteuid() == 0 ? "user root\n" : "");
  const char* installed = "/usr/sbin/mosquitto";
  broker_ = spawn({access(installed, X_OK) == 0 ? installed : "mosquitto", "-c", file.string()},
                  "mosquitto.log");
  for (int i = 0; i < 500; ++i) {
    if (answers(port_)) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  throw std::runtime_error("mosquitto does not listen");
}

void World::kill_broker() { end(broker_, SIGKILL); }

void World::start_crm() {
  crm_ = spawn({crm_program_, "--database", database(), "serve", "--broker",
                "mqtt://127.0.0.1:" + std::to_string(port_)},
               "crm.log");
}

double resident_mib(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  long size = 0;
  long resident = 0;
  file >> size >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1048576.0;
}

}  // namespace welcome::fleet
