// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/tar_gz.h"

#include <archive.h>
#include <archive_entry.h>
#include <memory>

namespace welcome::ctl {

namespace {

la_ssize_t append(archive* /*from*/, void* to, const void* bytes, std::size_t size) {
  static_cast<std::string*>(to)->append(static_cast<const char*>(bytes), size);
  return static_cast<la_ssize_t>(size);
}

}  // namespace

Result<std::string> tar_gz(const std::vector<PackedText>& texts,
                           std::chrono::system_clock::time_point at) {
  std::string out;
  const std::unique_ptr<archive, int (*)(archive*)> packed(::archive_write_new(),
                                                           ::archive_write_free);
  const auto failed = [&] {
    const char* const why = ::archive_error_string(packed.get());
    return fail(ErrorCode::internal, std::string("cannot pack it: ") + (why ? why : "no memory"));
  };
  if (!packed || ::archive_write_add_filter_gzip(packed.get()) != ARCHIVE_OK ||
      ::archive_write_set_format_pax_restricted(packed.get()) != ARCHIVE_OK ||
      ::archive_write_set_bytes_in_last_block(packed.get(), 1) != ARCHIVE_OK ||
      ::archive_write_open(packed.get(), &out, nullptr, append, nullptr) != ARCHIVE_OK) {
    return failed();
  }
  const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(::archive_entry_new(),
                                                                       ::archive_entry_free);
  for (const PackedText& one : texts) {
    ::archive_entry_clear(entry.get());
    ::archive_entry_set_pathname(entry.get(), one.name.c_str());
    ::archive_entry_set_size(entry.get(), static_cast<la_int64_t>(one.text.size()));
    ::archive_entry_set_filetype(entry.get(), AE_IFREG);
    ::archive_entry_set_perm(entry.get(), 0600);
    ::archive_entry_set_mtime(entry.get(), std::chrono::system_clock::to_time_t(at), 0);
    if (::archive_write_header(packed.get(), entry.get()) != ARCHIVE_OK ||
        ::archive_write_data(packed.get(), one.text.data(), one.text.size()) !=
            static_cast<la_ssize_t>(one.text.size())) {
      return failed();
    }
  }
  if (::archive_write_close(packed.get()) != ARCHIVE_OK) return failed();
  return out;
}

}  // namespace welcome::ctl
