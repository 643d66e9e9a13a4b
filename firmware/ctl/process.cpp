// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/process.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "provision/files.h"

namespace welcome::ctl {

namespace {

using provision::File;

struct Pipe {
  int read = -1, write = -1;
};

Pipe make_pipe() {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  return {ends[0], ends[1]};
}

std::string all_of(int fd) {
  std::string out;
  std::array<char, 4096> part{};
  for (ssize_t n = 0; (n = ::read(fd, part.data(), part.size())) != 0;) {
    if (n < 0 && errno != EINTR) break;
    if (n > 0) out.append(part.data(), static_cast<std::size_t>(n));
  }
  return out;
}

// 0, or what errno would be.
int start(std::vector<std::string>& words, int in, int out, Complaints complaints, pid_t& child) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  if (complaints == Complaints::hidden) {
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  }
  const int failed = ::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  return failed;
}

// A program that ends before it has read everything is no reason for us to end.
void feed(int fd, std::string_view input) {
  struct sigaction ignored {
  }, before{};
  ignored.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignored, &before);
  while (!input.empty()) {
    const ssize_t written = ::write(fd, input.data(), input.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    input.remove_prefix(static_cast<std::size_t>(written));
  }
  ::sigaction(SIGPIPE, &before, nullptr);
}

}  // namespace

Result<std::string> output_of(std::vector<std::string> words, std::string_view input,
                              Complaints complaints) {
  const Pipe in = make_pipe();
  const Pipe out = make_pipe();
  const File answer(out.read);
  pid_t child = 0;
  int failed = EMFILE;
  {
    const File its_in(in.read);
    const File its_out(out.write);
    const File question(in.write);
    if (in.read >= 0 && out.read >= 0) failed = start(words, in.read, out.write, complaints, child);
    if (failed == 0) feed(question.fd(), input);
  }
  if (failed != 0) return fail(ErrorCode::not_found, words[0] + ": " + std::strerror(failed));
  std::string text = all_of(answer.fd());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return fail(ErrorCode::refused,
                words[0] + (words.size() > 1 ? " " + words[1] : "") + " did not do it");
  }
  return text;
}

}  // namespace welcome::ctl
