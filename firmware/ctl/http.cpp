// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/http.h"

#include <array>
#include <curl/curl.h>
#include <memory>

#include "core/version.h"

namespace welcome::ctl {

namespace {

constexpr long kConnectS = 15;
constexpr long kTotalS = 45;
constexpr std::size_t kAnswerMost = 128UL * 1024;

struct Free {
  void operator()(CURL* it) const { ::curl_easy_cleanup(it); }
  void operator()(CURLU* it) const { ::curl_url_cleanup(it); }
  void operator()(curl_slist* it) const { ::curl_slist_free_all(it); }
  void operator()(char* it) const { ::curl_free(it); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

std::string part_of(CURLU* url, CURLUPart which) {
  char* text = nullptr;
  if (::curl_url_get(url, which, &text, 0) != CURLUE_OK) return {};
  const Owned<char> owned(text);
  return text;
}

bool on_this_machine(const std::string& host) {
  return host == "localhost" || host == "[::1]" || host == "127.0.0.1";
}

std::size_t take_part(const char* data, std::size_t /*one*/, std::size_t size, void* into) {
  auto& body = *static_cast<std::string*>(into);
  if (body.size() + size > kAnswerMost) return 0;  // ends the transfer
  body.append(data, size);
  return size;
}

tl::unexpected<Error> not_reached(CURLcode code, const std::string& host, const char* detail) {
  const auto away = [&](const std::string& why) {
    return fail(ErrorCode::unavailable, host + ": " + why);
  };
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return away(
          "no such name is known here. Is it spelled right, and does this machine have a network "
          "(ip address; resolvectl status)?");
    case CURLE_COULDNT_RESOLVE_PROXY:
      return away("the proxy of https_proxy is not known here");
    case CURLE_COULDNT_CONNECT:
      return away(
          "nobody answers there. Is the address right, and does a firewall let this machine out?");
    case CURLE_OPERATION_TIMEDOUT:
      return away("no answer in time. Does a firewall let this machine out?");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
      return away(std::string("its certificate is not trusted (") + detail +
                  "). Is the address right, and this machine's date (timedatectl)? A certificate "
                  "authority of your own belongs into /usr/local/share/ca-certificates, then "
                  "update-ca-certificates");
    case CURLE_SSL_CACERT_BADFILE:
      return away("this machine trusts nobody: apt install ca-certificates");
    case CURLE_SSL_CONNECT_ERROR:
      return away(std::string("no TLS with it (") + detail + "). Is it the address of the door?");
    case CURLE_WRITE_ERROR:
      return fail(ErrorCode::malformed, host + ": it answers without end; is it the door?");
    default:
      return away(detail);
  }
}

}  // namespace

std::optional<std::string> origin_of(const std::string& url) {
  const Owned<CURLU> parsed(::curl_url());
  if (!parsed || ::curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) {
    return std::nullopt;
  }
  const std::string scheme = part_of(parsed.get(), CURLUPART_SCHEME);
  const std::string host = part_of(parsed.get(), CURLUPART_HOST);
  const std::string port = part_of(parsed.get(), CURLUPART_PORT);
  if (!part_of(parsed.get(), CURLUPART_USER).empty() || host.empty()) return std::nullopt;
  if (scheme != "https" && !(scheme == "http" && on_this_machine(host))) return std::nullopt;
  return scheme + "://" + host + (port.empty() ? "" : ":" + port);
}

Result<Answer> post_json(const std::string& url, std::string_view body) {
  static const bool started = ::curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  const Owned<CURL> curl(started ? ::curl_easy_init() : nullptr);
  const auto origin = origin_of(url);
  if (!curl || !origin) return fail(ErrorCode::unavailable, url + " cannot be asked");
  const Owned<curl_slist> headers(::curl_slist_append(nullptr, "Content-Type: application/json"));
  std::array<char, CURL_ERROR_SIZE> detail{};
  Answer answer;
  const auto set = [&](CURLoption option, auto value) {
    return ::curl_easy_setopt(curl.get(), option, value) == CURLE_OK;
  };
  const bool ready =
      set(CURLOPT_URL, url.c_str()) && set(CURLOPT_ERRORBUFFER, detail.data()) &&
      set(CURLOPT_PROTOCOLS_STR, origin->starts_with("https") ? "https" : "http") &&
      // What stays on this machine asks no proxy.
      (origin->starts_with("https") || set(CURLOPT_PROXY, "")) && set(CURLOPT_FOLLOWLOCATION, 0L) &&
      set(CURLOPT_NOSIGNAL, 1L) &&
      set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2)) &&
      set(CURLOPT_CONNECTTIMEOUT, kConnectS) && set(CURLOPT_TIMEOUT, kTotalS) &&
      set(CURLOPT_USERAGENT, (std::string("welcomectl/") + std::string(kVersion)).c_str()) &&
      set(CURLOPT_HTTPHEADER, headers.get()) &&
      set(CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size())) &&
      set(CURLOPT_POSTFIELDS, body.data()) && set(CURLOPT_WRITEDATA, &answer.body) &&
      set(CURLOPT_WRITEFUNCTION, &take_part);
  if (!ready) return fail(ErrorCode::unavailable, "libcurl of this machine is too old");
  const CURLcode done = ::curl_easy_perform(curl.get());
  if (done != CURLE_OK) {
    const char* const said = detail[0] != '\0' ? detail.data() : ::curl_easy_strerror(done);
    return not_reached(done, *origin, said);
  }
  ::curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &answer.status);
  return answer;
}

}  // namespace welcome::ctl
