// SPDX-License-Identifier: Apache-2.0
#include "mqtt/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

namespace welcome::mqtt {

struct Tls::Parts {
  SSL_CTX* context = nullptr;
  SSL* session = nullptr;
  bool check_server_name = true;

  ~Parts() {
    SSL_free(session);
    SSL_CTX_free(context);
  }
};

namespace {

// The library's own socket writes with write(), which raises SIGPIPE on a line that is cut.
int send_without_signal(BIO* bio, const char* bytes, int size) {
  int fd = -1;
  BIO_get_fd(bio, &fd);
  BIO_clear_retry_flags(bio);
  const auto count = ::send(fd, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  if (count < 0 && BIO_sock_should_retry(static_cast<int>(count)) != 0) BIO_set_retry_write(bio);
  return static_cast<int>(count);
}

const BIO_METHOD* quiet_socket() {
  static const BIO_METHOD* const method = [] {
    const BIO_METHOD* base = BIO_s_socket();
    BIO_METHOD* own = BIO_meth_new(BIO_TYPE_SOCKET, "socket without SIGPIPE");
    BIO_meth_set_write(own, send_without_signal);
    BIO_meth_set_read(own, BIO_meth_get_read(base));
    BIO_meth_set_ctrl(own, BIO_meth_get_ctrl(base));
    BIO_meth_set_create(own, BIO_meth_get_create(base));
    BIO_meth_set_destroy(own, BIO_meth_get_destroy(base));
    return own;
  }();
  return method;
}

// The last thing that the library complained about.
std::string library_text() {
  char text[256];
  ERR_error_string_n(ERR_peek_last_error(), text, sizeof text);
  return text;
}

bool readable(const std::string& file) { return ::access(file.c_str(), R_OK) == 0; }

// Why our side does not believe the server; empty: it does.
std::string verdict_text(long verdict) {
  switch (verdict) {
    case X509_V_OK:
      return {};
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "the broker's certificate has expired, or this machine's clock is ahead";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "the broker's certificate is not valid yet, or this machine's clock is behind";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "the broker's certificate is for another name than the one in the configuration";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return "the broker's certificate is signed by an authority that is not in the CA file";
    case X509_V_ERR_CERT_REVOKED:
      return "the broker's certificate was revoked";
    default:
      return std::string("the broker's certificate is not believed: ") +
             X509_verify_cert_error_string(verdict);
  }
}

// What the other side said of our certificate, or what it is that does not speak TLS.
std::string error_text(unsigned long error) {
  switch (ERR_GET_REASON(error)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
      return "the broker does not speak TLS on this port";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return "the broker does not speak TLS 1.3";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return "the broker does not know the authority that signed our certificate";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return "the broker says that our certificate has expired";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
      return "the broker says that our certificate was revoked";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return "the broker wants a client certificate, and none is configured";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
      return "the broker refuses our certificate";
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
      return "the broker denies access to our certificate";
    case SSL_R_TLSV1_UNRECOGNIZED_NAME:
      return "the broker serves no such name";
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return {};
    default:
      return "TLS failed: " + library_text();
  }
}

std::string wire_format(const std::vector<std::string>& alpn) {
  std::string out;
  for (const std::string& one : alpn) {
    out.push_back(static_cast<char>(one.size()));
    out += one;
  }
  return out;
}

}  // namespace

Tls::Tls(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Tls::~Tls() = default;

Result<std::unique_ptr<Tls>> Tls::load(const TlsFiles& files) {
  ERR_clear_error();
  auto parts = std::make_unique<Parts>();
  parts->check_server_name = files.check_server_name;
  parts->context = SSL_CTX_new(TLS_client_method());
  if (parts->context == nullptr) return fail(ErrorCode::refused, "TLS does not start");
  SSL_CTX* context = parts->context;
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (!readable(files.ca_file)) return fail(ErrorCode::refused, "the CA file cannot be read");
  if (SSL_CTX_load_verify_locations(context, files.ca_file.c_str(), nullptr) != 1) {
    return fail(ErrorCode::refused, "the CA file holds no certificate");
  }
  if (!files.cert_file.empty()) {
    if (!readable(files.cert_file)) {
      return fail(ErrorCode::refused, "our certificate cannot be read");
    }
    if (!readable(files.key_file)) {
      return fail(ErrorCode::refused, "the key of our certificate cannot be read");
    }
    if (SSL_CTX_use_certificate_chain_file(context, files.cert_file.c_str()) != 1) {
      return fail(ErrorCode::refused, "the file of our certificate holds no certificate");
    }
    if (SSL_CTX_use_PrivateKey_file(context, files.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
      const bool mismatch = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH;
      return fail(ErrorCode::refused, mismatch
                                          ? "our certificate and its key do not belong together"
                                          : "the key file of our certificate holds no key");
    }
    if (SSL_CTX_check_private_key(context) != 1) {
      return fail(ErrorCode::refused, "our certificate and its key do not belong together");
    }
  }
  if (!files.alpn.empty()) {
    const std::string protocols = wire_format(files.alpn);
    SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(protocols.data()),
                            static_cast<unsigned>(protocols.size()));
  }
  return std::unique_ptr<Tls>(new Tls(std::move(parts)));
}

void Tls::open(int fd, const std::string& host) {
  why_.clear();
  SSL_free(parts_->session);
  SSL* session = parts_->session = SSL_new(parts_->context);
  BIO* const bio = BIO_new(quiet_socket());
  BIO_set_fd(bio, fd, BIO_NOCLOSE);
  SSL_set_bio(session, bio, bio);
  SSL_set_connect_state(session);
  X509_VERIFY_PARAM* const param = SSL_get0_param(session);
  // An address is looked for among the addresses of the certificate, a name among its names.
  const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(param, host.c_str()) == 1;
  if (!is_address) {
    SSL_set_tlsext_host_name(session, host.c_str());
    if (parts_->check_server_name) SSL_set1_host(session, host.c_str());
  } else if (!parts_->check_server_name) {
    X509_VERIFY_PARAM_set1_ip(param, nullptr, 0);
  }
}

void Tls::note_failure(int rc) {
  const int kind = SSL_get_error(parts_->session, rc);
  why_ = verdict_text(SSL_get_verify_result(parts_->session));
  if (why_.empty() && kind == SSL_ERROR_SSL) why_ = error_text(ERR_peek_error());
  ERR_clear_error();
}

Tls::Step Tls::handshake() {
  ERR_clear_error();
  const int rc = SSL_do_handshake(parts_->session);
  if (rc == 1) return Step::done;
  switch (SSL_get_error(parts_->session, rc)) {
    case SSL_ERROR_WANT_READ:
      return Step::wants_read;
    case SSL_ERROR_WANT_WRITE:
      return Step::wants_write;
    default:
      note_failure(rc);
      if (why_.empty()) {
        why_ = "the broker closed the connection in the TLS handshake: does this port speak TLS?";
      }
      return Step::failed;
  }
}

long Tls::receive(char* bytes, std::size_t size) {
  ERR_clear_error();
  std::size_t count = 0;
  const int rc = SSL_read_ex(parts_->session, bytes, size, &count);
  if (rc == 1) return static_cast<long>(count);
  const int kind = SSL_get_error(parts_->session, rc);
  if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) return 0;
  note_failure(rc);
  return -1;
}

long Tls::send(const char* bytes, std::size_t size) {
  ERR_clear_error();
  std::size_t count = 0;
  const int rc = SSL_write_ex(parts_->session, bytes, size, &count);
  if (rc == 1) return static_cast<long>(count);
  const int kind = SSL_get_error(parts_->session, rc);
  if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) return 0;
  note_failure(rc);
  return -1;
}

bool Tls::pending() const { return SSL_pending(parts_->session) > 0; }

void Tls::say_goodbye() {
  if (parts_->session == nullptr || SSL_is_init_finished(parts_->session) == 0) return;
  ERR_clear_error();
  SSL_shutdown(parts_->session);
  ERR_clear_error();
}

}  // namespace welcome::mqtt
