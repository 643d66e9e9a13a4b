// SPDX-License-Identifier: Apache-2.0
#pragma once
// Certificates for a test: an authority, and what it issues.

#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/integration/link_broker.h"

namespace welcome::testing {

// A certificate authority of the test's own.
class Authority {
 public:
  explicit Authority(const std::string& name) : name_(name) {
    run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "30", "-subj", "/CN=" + name, "-keyout", file(name + ".key"), "-out",
         file(name + ".pem")});
  }

  // Writes {file}.pem and {file}.key.
  void issue(const std::string& as, const std::string& common_name, const std::string& alt_name,
             int days = 30) {
    run({"openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-subj", "/CN=" + common_name, "-keyout", file(as + ".key"), "-out", file(as + ".csr")});
    std::ofstream(dir_ / "ext") << "subjectAltName=" << alt_name << "\n";
    run({"openssl", "x509", "-req", "-in", file(as + ".csr"), "-CA", file(name_ + ".pem"), "-CAkey",
         file(name_ + ".key"), "-CAcreateserial", "-days", std::to_string(days), "-extfile",
         file("ext"), "-out", file(as + ".pem")});
  }

  // For the broker and for the box.
  void issue_both(const std::string& server_name = "DNS:localhost", int server_days = 30) {
    issue("server", "broker", server_name, server_days);
    issue("box", "box-1", "DNS:box-1");
  }

  // Lines of mosquitto.conf: this certificate, and one of ours is wanted from every client.
  std::string broker_settings(const std::string& certificate) const {
    return "allow_anonymous true\ncafile " + this->certificate() + "\ncertfile " +
           file(certificate + ".pem") + "\nkeyfile " + file(certificate + ".key") +
           "\nrequire_certificate true\ntls_version tlsv1.3\n";
  }

  std::string file(const std::string& name) const { return (dir_ / name).string(); }
  std::string certificate() const { return file(name_ + ".pem"); }

 private:
  static void run(const std::vector<std::string>& words) {
    if (run_program(words) != 0) throw std::runtime_error("openssl failed: " + words[1]);
  }
  TempDir dir_;
  std::string name_;
};

}  // namespace welcome::testing
