// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/box_key.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hex.h"
#include "firmware/control/box_keys.h"
#include "provision/files.h"

namespace welcome::ctl {

namespace {

Result<control::BoxKeys> read_file(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(ErrorCode::not_found, file + ": " + std::strerror(errno));
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto keys = control::box_keys_in(text);
  if (!keys) return fail(ErrorCode::malformed, file + " has no box key");
  return *keys;
}

// Whoever is stopped in here leaves the file as it was, or as it is to be.
Result<void> replace_file(const std::string& file, const std::string& text) {
  const std::string fresh = file + ".new";
  ::unlink(fresh.c_str());
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                        S_IRUSR | S_IWUSR);
  const bool written = fd >= 0 && provision::write_through(fd, text);
  if (fd >= 0) ::close(fd);
  if (written && ::rename(fresh.c_str(), file.c_str()) == 0 &&
      provision::settle(std::filesystem::path(file).parent_path()))
    return {};
  const std::string why = std::strerror(errno);
  ::unlink(fresh.c_str());
  return fail(ErrorCode::unavailable, file + ": " + why);
}

}  // namespace

Result<void> begin_key_change(const std::string& file) {
  const auto now = read_file(file);
  if (!now) return tl::unexpected(now.error());
  if (now->next) {
    return fail(ErrorCode::refused,
                "it is being changed already: restart welcomed, then welcomectl key settle");
  }
  control::KeyBytes fresh{};
  if (::getrandom(fresh.data(), fresh.size(), 0) != static_cast<ssize_t>(fresh.size())) {
    return fail(ErrorCode::unavailable, "no random bytes");
  }
  return replace_file(file, to_hex(now->key) + "\n" + to_hex(fresh) + "\n");
}

Result<void> end_key_change(const std::string& file) {
  const auto now = read_file(file);
  if (!now) return tl::unexpected(now.error());
  if (!now->next) return fail(ErrorCode::refused, "the box key is not being changed");
  return replace_file(file, to_hex(*now->next) + "\n");
}

}  // namespace welcome::ctl
