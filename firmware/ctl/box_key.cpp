// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/box_key.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hex.h"

namespace welcome::ctl {

namespace {

constexpr std::size_t kDigits = 64;

bool digits(std::string_view text) {
  return text.size() == kDigits &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c); });
}

Result<BoxKeyText> read_file(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(ErrorCode::not_found, file + ": " + std::strerror(errno));
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  auto key = box_key_text(text);
  if (!key) return fail(ErrorCode::malformed, file + " has no box key");
  return *std::move(key);
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return ::fsync(fd) == 0;
}

// Whoever is stopped in here leaves the file as it was, or as it is to be.
Result<void> replace_file(const std::string& file, const std::string& text) {
  const std::string fresh = file + ".new";
  ::unlink(fresh.c_str());
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                        S_IRUSR | S_IWUSR);
  bool good = fd >= 0 && write_all(fd, text);
  if (fd >= 0) ::close(fd);
  good = good && ::rename(fresh.c_str(), file.c_str()) == 0;
  if (!good) {
    const std::string why = std::strerror(errno);
    ::unlink(fresh.c_str());
    return fail(ErrorCode::unavailable, file + ": " + why);
  }
  auto folder = std::filesystem::path(file).parent_path();
  if (folder.empty()) folder = ".";
  const int dir = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir >= 0) {
    ::fsync(dir);
    ::close(dir);
  }
  return {};
}

}  // namespace

std::optional<BoxKeyText> box_key_text(std::string_view text) {
  if (text.size() == 32) return BoxKeyText{to_hex(text), {}};
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  const auto end = text.find('\n');
  if (end == std::string_view::npos) {
    return digits(text) ? std::optional(BoxKeyText{std::string(text), {}}) : std::nullopt;
  }
  const auto key = text.substr(0, end);
  const auto next = text.substr(end + 1);
  if (!digits(key) || !digits(next)) return std::nullopt;
  return BoxKeyText{std::string(key), std::string(next)};
}

Result<void> begin_key_change(const std::string& file) {
  const auto now = read_file(file);
  if (!now) return tl::unexpected(now.error());
  if (!now->next.empty()) {
    return fail(ErrorCode::refused,
                "it is being changed already: restart welcomed, then welcomectl key settle");
  }
  std::array<std::uint8_t, 32> fresh{};
  if (::getrandom(fresh.data(), fresh.size(), 0) != static_cast<ssize_t>(fresh.size())) {
    return fail(ErrorCode::unavailable, "no random bytes");
  }
  return replace_file(file, now->key + "\n" + to_hex(fresh) + "\n");
}

Result<void> end_key_change(const std::string& file) {
  const auto now = read_file(file);
  if (!now) return tl::unexpected(now.error());
  if (now->next.empty()) return fail(ErrorCode::refused, "the box key is not being changed");
  return replace_file(file, now->next + "\n");
}

}  // namespace welcome::ctl
