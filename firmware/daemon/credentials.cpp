#include "firmware/daemon/credentials.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sodium.h>

#include "firmware/daemon/config.h"

namespace welcome::daemon {

namespace {

std::string file_text(const std::string& name) {
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr) return {};
  std::ifstream in(std::filesystem::path(directory) / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

std::string read_credential(const std::string& name) {
  std::string text = file_text(name);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

std::array<std::uint8_t, 32> read_box_key() {
  std::array<std::uint8_t, 32> key{};
  std::string text = file_text("box-key");
  if (text.size() == key.size()) {
    std::copy(text.begin(), text.end(), key.begin());
  } else {
    std::size_t written = 0;
    const int bad =
        sodium_hex2bin(key.data(), key.size(), text.data(), text.size(), "\n", &written, nullptr);
    if (bad != 0 || written != key.size()) {
      throw ConfigError(
          "credential box-key is missing or not 32 bytes (raw, or 64 hexadecimal digits): run "
          "under systemd with LoadCredential=box-key:…, or set CREDENTIALS_DIRECTORY");
    }
  }
  sodium_memzero(text.data(), text.size());
  return key;
}

}  // namespace welcome::daemon
