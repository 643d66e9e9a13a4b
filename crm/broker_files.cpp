// SPDX-License-Identifier: Apache-2.0
#include "crm/broker_files.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <openssl/evp.h>
#include <sodium.h>
#include <span>
#include <sstream>
#include <stdexcept>
#include <sys/stat.h>
#include <unistd.h>

#include "contract/topics.h"

namespace welcome::crm {
namespace {

// Mosquitto's own numbers. More rounds would protect a word that somebody thought of; ours are
// random.
constexpr int kRounds = 101;
constexpr std::size_t kSaltBytes = 12;
constexpr std::size_t kHashBytes = 64;
constexpr std::size_t kPasswordBytes = 24;

std::string base64(std::span<const unsigned char> bytes, int variant) {
  std::string out(sodium_base64_encoded_len(bytes.size(), variant), '\0');
  sodium_bin2base64(out.data(), out.size(), bytes.data(), bytes.size(), variant);
  out.pop_back();  // the closing zero
  return out;
}

template <std::size_t kSize>
std::array<unsigned char, kSize> random_bytes() {
  std::array<unsigned char, kSize> out{};
  randombytes_buf(out.data(), out.size());
  return out;
}

struct File {
  int fd = -1;
  explicit File(int open) : fd(open) {}
  ~File() {
    if (fd >= 0) ::close(fd);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
};

tl::unexpected<Error> failed(const std::string& what, const std::string& file) {
  const auto code = errno == ENOENT ? ErrorCode::not_found : ErrorCode::unavailable;
  return fail(code, what + " " + file + ": " + std::strerror(errno));
}

Result<std::string> read_all(const File& file, const std::string& name) {
  std::string out;
  std::array<char, 65536> part{};
  for (ssize_t n = 0; (n = ::read(file.fd, part.data(), part.size())) != 0;) {
    if (n < 0) return failed("cannot read", name);
    out.append(part.data(), static_cast<std::size_t>(n));
  }
  return out;
}

bool write_all(int fd, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(fd, text.data() + done, text.size() - done);
    if (n < 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return ::fsync(fd) == 0;
}

// The broker never sees half a file, and keeps the right to read it.
Result<void> change(const std::string& name,
                    const std::function<std::string(const std::string&)>& to) {
  const File old(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (old.fd < 0) return failed("cannot open", name);
  const auto text = read_all(old, name);
  if (!text) return tl::unexpected(text.error());
  struct stat as {};
  if (::fstat(old.fd, &as) != 0) return failed("cannot read", name);
  std::string temporary = name + ".XXXXXX";
  const File fresh(::mkostemp(temporary.data(), O_CLOEXEC));
  if (fresh.fd < 0) return failed("cannot write beside", name);
  const bool same_owner = as.st_uid == ::geteuid() && as.st_gid == ::getegid();
  const bool done = ::fchmod(fresh.fd, as.st_mode & 0777) == 0 &&
                    (same_owner || ::fchown(fresh.fd, as.st_uid, as.st_gid) == 0) &&
                    write_all(fresh.fd, to(*text)) &&
                    ::rename(temporary.c_str(), name.c_str()) == 0;
  if (done) return {};
  auto error = failed("cannot write", name);
  ::unlink(temporary.c_str());
  return error;
}

std::string without_password(const std::string& text, const std::string& account) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(account + ":")) out += line + "\n";
  }
  return out;
}

// A user's rules go on until the next user or pattern.
std::string without_rules(const std::string& text, const std::string& account) {
  std::string out;
  bool its = false;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("user ")) its = line == "user " + account;
    if (!(its && (line.starts_with("user ") || line.starts_with("topic ")))) out += line + "\n";
  }
  return out;
}

}  // namespace

std::string account_of(const contract::BoxAddress& box) {
  return box.tenant + "/" + box.store + "/" + box.box;
}

std::string new_password() {
  return base64(random_bytes<kPasswordBytes>(), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

std::string password_line(const std::string& account, const std::string& password) {
  const auto salt = random_bytes<kSaltBytes>();
  std::array<unsigned char, kHashBytes> hash{};
  if (PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), salt.data(),
                        static_cast<int>(salt.size()), kRounds, EVP_sha512(),
                        static_cast<int>(hash.size()), hash.data()) != 1) {
    throw std::runtime_error("OpenSSL has no SHA-512");
  }
  return account + ":$7$" + std::to_string(kRounds) + "$" +
         base64(salt, sodium_base64_VARIANT_ORIGINAL) + "$" +
         base64(hash, sodium_base64_VARIANT_ORIGINAL) + "\n";
}

std::string acl_lines(const contract::BoxAddress& box) {
  return "user " + account_of(box) + "\ntopic read " +
         contract::control_topic(box.tenant, box.store) + "\ntopic read " +
         contract::control_topic(box.tenant, contract::kAllStores) + "\n";
}

Result<void> put_account(const std::string& dir, const contract::BoxAddress& box,
                         const std::string& password) {
  const std::string account = account_of(box);
  // Rules first: an account without them hears nothing, and nobody has the password yet.
  if (auto done = change(
          dir + "/acl",
          [&](const std::string& text) { return without_rules(text, account) + acl_lines(box); });
      !done) {
    return done;
  }
  return change(dir + "/passwords", [&](const std::string& text) {
    return without_password(text, account) + password_line(account, password);
  });
}

Result<void> remove_account(const std::string& dir, const contract::BoxAddress& box) {
  const std::string account = account_of(box);
  if (auto done = change(dir + "/passwords",
                         [&](const std::string& text) { return without_password(text, account); });
      !done) {
    return done;
  }
  return change(dir + "/acl",
                [&](const std::string& text) { return without_rules(text, account); });
}

}  // namespace welcome::crm
