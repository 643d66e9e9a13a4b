// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tls: TLS 1.3 over a non-blocking socket, and why it failed in words that a technician can act on.
// One thread owns it.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace welcome::mqtt {

struct TlsFiles {
  std::string ca_file;
  std::string cert_file, key_file;  // chain and private key, PEM; empty: no client certificate
  std::vector<std::string> alpn;    // e.g. "mqtt"
  bool check_server_name = true;    // off only for tests
};

class Tls {
 public:
  // Reads the files. Errors: refused, with what is wrong with which of them.
  static Result<std::unique_ptr<Tls>> load(const TlsFiles& files);
  ~Tls();
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  // Begins on a connected socket, which stays the caller's.
  void open(int fd, const std::string& host);

  enum class Step { done, wants_read, wants_write, failed };
  Step handshake();

  // How many bytes; 0: not now; negative: never again, see why().
  long receive(char* bytes, std::size_t size);
  long send(const char* bytes, std::size_t size);
  // Decrypted already, so that poll() would not tell.
  bool pending() const;
  // Tells the other side that this is the end and no cut line.
  void say_goodbye();

  // Of the last failure; empty: the line just ended.
  const std::string& why() const { return why_; }

 private:
  struct Parts;
  explicit Tls(std::unique_ptr<Parts> parts);
  void note_failure(int rc);

  std::unique_ptr<Parts> parts_;
  std::string why_;
};

}  // namespace welcome::mqtt
