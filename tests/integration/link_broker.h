// SPDX-License-Identifier: Apache-2.0
#pragma once
// A real mosquitto of a test's own: a free port on loopback, a folder of its own, ended by its pid.

#include <arpa/inet.h>
#include <chrono>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <memory>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdexcept>
#include <stdlib.h>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

extern char** environ;

namespace welcome::testing {

class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "welcome-link-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no free port");
  }
  close(fd);
  return ntohs(address.sin_port);
}

inline bool answers(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const bool ok = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return ok;
}

// Starts a program that reads nothing and adds what it says to this file.
inline pid_t start_program(std::vector<std::string> words, const std::string& output) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  const int failed = posix_spawnp(&pid, argv[0], &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (failed != 0) throw std::runtime_error(words[0] + " does not start");
  return pid;
}

// Waits for its end. Its exit code; -1: a signal ended it.
inline int exit_code_of(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Runs a program and returns its exit code.
inline int run_program(std::vector<std::string> words) {
  return exit_code_of(start_program(std::move(words), "/dev/null"));
}

// What a line of shell prints; its errors are not heard.
inline std::string output_of(const std::string& line) {
  FILE* pipe = popen((line + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("no shell");
  std::string text;
  char bytes[4096];
  for (std::size_t n = 0; (n = fread(bytes, 1, sizeof bytes, pipe)) > 0;) text.append(bytes, n);
  pclose(pipe);
  return text;
}

// A program in the background, ended with the object.
class Process {
 public:
  explicit Process(std::vector<std::string> words, const std::string& output = "/dev/null")
      : pid_(start_program(std::move(words), output)) {}
  ~Process() { stop(SIGTERM); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // What it ended with, as exit_code_of() says; 0 for one that had ended before.
  int stop(int signal) {
    if (pid_ <= 0) return 0;
    kill(pid_, SIGCONT);
    kill(pid_, signal);
    return exit_code_of(std::exchange(pid_, 0));
  }
  bool ended() {
    if (pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = 0;
    return pid_ == 0;
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

// Waits until the process listens there.
inline bool wait_listening(std::uint16_t port, Process& process) {
  for (int i = 0; i < 500 && !process.ended(); ++i) {
    if (answers(port)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

class Broker {
 public:
  static bool installed() {
    return std::filesystem::exists("/usr/sbin/mosquitto") ||
           std::filesystem::exists("/usr/bin/mosquitto");
  }

  // `settings`: lines of mosquitto.conf after the listener.
  explicit Broker(std::string settings = "allow_anonymous true\n")
      : settings_(std::move(settings)), port_(free_port()) {
    start();
  }
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  void start() {
    std::ofstream(dir_ / "mosquitto.conf") << "listener " << port_ << " 127.0.0.1\n"
                                           << "persistence false\n"
                                           << "log_type none\n"
                                           // It would give up root, and with it our folder.
                                           << (geteuid() == 0 ? "user root\n" : "") << settings_;
    process_ = std::make_unique<Process>(std::vector<std::string>{
        std::filesystem::exists("/usr/sbin/mosquitto") ? "/usr/sbin/mosquitto" : "mosquitto", "-c",
        (dir_ / "mosquitto.conf").string()});
    if (!wait_listening(port_, *process_)) {
      throw std::runtime_error("mosquitto does not listen, or refused its configuration");
    }
  }

  void stop(int signal = SIGTERM) { process_->stop(signal); }

  // The process is there and says nothing: a dead line.
  void freeze() { kill(process_->pid(), SIGSTOP); }
  void thaw() { kill(process_->pid(), SIGCONT); }
  // Reads its rules again.
  void reload() { kill(process_->pid(), SIGHUP); }

  std::uint16_t port() const { return port_; }

 private:
  TempDir dir_;
  std::string settings_;
  std::uint16_t port_;
  std::unique_ptr<Process> process_;
};

}  // namespace welcome::testing
