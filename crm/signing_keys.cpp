// SPDX-License-Identifier: Apache-2.0
#include "crm/signing_keys.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hex.h"
#include "crm/database.h"
#include "provision/files.h"

namespace welcome::crm {
namespace {

namespace fs = std::filesystem;

constexpr int kCarefully = O_CLOEXEC | O_NOFOLLOW;
constexpr std::size_t kHexLength = std::tuple_size_v<SigningSeed> * 2;

[[noreturn]] void give_up(const std::string& what, const fs::path& path) {
  throw DatabaseError(what + " " + path.string() + ": " + std::strerror(errno));
}

}  // namespace

fs::path SigningKeys::usual_folder(const std::string& database) {
  if (database == ":memory:" || database.find("://") != std::string::npos) return {};
  return database + ".keys";
}

fs::path SigningKeys::file_of(const std::string& id) const {
  if (folder_.empty()) {
    throw DatabaseError(
        "where do the signing keys lie? Say --signing-keys FOLDER, or set "
        "WELCOME_CRM_SIGNING_KEYS; every command and every serve needs the same");
  }
  return folder_ / (id + ".seed");
}

void SigningKeys::keep(const std::string& id, const SigningSeed& seed) {
  const fs::path file = file_of(id);
  std::error_code ignored;  // what cannot be made cannot be written into, which is said below
  fs::create_directories(folder_.parent_path(), ignored);
  if (mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) give_up("cannot make", folder_);
  fs::path fresh = file;
  fresh += ".new";
  std::string text = to_hex(seed) + "\n";
  const provision::File out(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | kCarefully, 0600));
  const bool written = out.fd() >= 0 && provision::write_through(out.fd(), text) &&
                       rename(fresh.c_str(), file.c_str()) == 0 && provision::settle(folder_);
  sodium_memzero(text.data(), text.size());
  if (!written) give_up("cannot write", file);
}

std::shared_ptr<const contract::Signer> SigningKeys::signer(const std::string& id) {
  auto& known = read_[id];
  if (known) return known;
  SigningSeed kept = seed(id);
  known = std::make_shared<const contract::Signer>(id, kept);
  sodium_memzero(kept.data(), kept.size());
  return known;
}

SigningSeed SigningKeys::seed(const std::string& id) const {
  const fs::path path = file_of(id);
  const provision::File file(::open(path.c_str(), O_RDONLY | kCarefully));
  if (file.fd() < 0 && errno == ENOENT) {
    throw DatabaseError("the signing key " + id + " is not in " + folder_.string() +
                        ": put its file back, or make another key (docs/crm.md, \"Signatures\")");
  }
  struct stat is {};
  if (file.fd() < 0 || fstat(file.fd(), &is) != 0) give_up("cannot read", path);
  if ((is.st_mode & 0077) != 0) {
    throw DatabaseError("others can read " + path.string() +
                        ": chmod 600, and make another key if somebody may have");
  }
  std::array<char, kHexLength> text{};
  SigningSeed out{};
  const bool good = read(file.fd(), text.data(), text.size()) == ssize_t{text.size()} &&
                    from_hex({text.data(), text.size()}, out);
  sodium_memzero(text.data(), text.size());
  if (!good) throw DatabaseError(path.string() + " is damaged: put it back from a copy");
  return out;
}

void SigningKeys::destroy(const std::string& id) {
  read_.erase(id);
  const fs::path path = file_of(id);
  const bool gone =
      unlink(path.c_str()) == 0 ? provision::settle(folder_) : errno == ENOENT || errno == ENOTDIR;
  if (!gone) give_up("cannot remove", path);
}

}  // namespace welcome::crm
