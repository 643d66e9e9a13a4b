// SPDX-License-Identifier: Apache-2.0
#include "mqtt/certificate.h"

#include <ctime>
#include <memory>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace welcome::mqtt {

Result<std::chrono::sys_seconds> certificate_ends(const std::string& file) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> in(BIO_new_file(file.c_str(), "r"), BIO_free);
  if (!in) return fail(ErrorCode::unavailable, "cannot read " + file);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr), X509_free);
  std::tm end{};
  if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &end) != 1) {
    return fail(ErrorCode::malformed, file + " holds no certificate");
  }
  return std::chrono::sys_seconds(std::chrono::seconds(::timegm(&end)));
}

}  // namespace welcome::mqtt
