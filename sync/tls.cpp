#include "sync/tls.h"

#include <memory>
#include <openssl/conf.h>
#include <openssl/ssl.h>
#include <stdexcept>
#include <string_view>

namespace welcome::sync {

namespace {

// OpenSSL applies the section `system_default` to every new context (config(5), "SSL
// Configuration").
constexpr std::string_view kConfig =
    "openssl_conf = welcome\n"
    "[welcome]\n"
    "ssl_conf = contexts\n"
    "[contexts]\n"
    "system_default = every\n"
    "[every]\n"
    "MinProtocol = TLSv1.3\n";

bool load() {
  // First the system's own file, which would else be read later and win.
  if (OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, nullptr) != 1) return false;
  const std::unique_ptr<BIO, decltype(&BIO_free)> text(
      BIO_new_mem_buf(kConfig.data(), static_cast<int>(kConfig.size())), BIO_free);
  const std::unique_ptr<CONF, decltype(&NCONF_free)> config(NCONF_new(nullptr), NCONF_free);
  long line = 0;
  return text && config && NCONF_load_bio(config.get(), text.get(), &line) > 0 &&
         CONF_modules_load(config.get(), nullptr, 0) > 0;
}

}  // namespace

void require_tls_1_3() {
  static const bool done = load();
  if (!done) throw std::runtime_error("the TLS library does not take TLS 1.3 as its minimum");
}

}  // namespace welcome::sync
