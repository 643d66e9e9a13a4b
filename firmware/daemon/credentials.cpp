// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/credentials.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sodium.h>
#include <stdexcept>

namespace welcome::daemon {

namespace {

std::string file_text(const std::string& name) {
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr) return {};
  std::ifstream in(std::filesystem::path(directory) / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::optional<control::KeyBytes> key_of(const std::string& name) {
  std::string text = file_text(name);
  const auto key = control::key_in(text);
  sodium_memzero(text.data(), text.size());
  return key;
}

}  // namespace

std::string read_credential(const std::string& name) {
  std::string text = file_text(name);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

control::BoxKeys read_box_keys() {
  std::string text = file_text("box-key");
  const auto keys = control::box_keys_in(text);
  sodium_memzero(text.data(), text.size());
  if (!keys) {
    throw std::runtime_error(
        "credential box-key is missing or not 32 bytes (raw, or 64 hexadecimal digits): run under "
        "systemd with LoadCredential=box-key:…, or set CREDENTIALS_DIRECTORY");
  }
  return *keys;
}

std::optional<control::KeyBytes> read_store_key() { return key_of("store-key"); }

}  // namespace welcome::daemon
