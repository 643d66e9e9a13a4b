// SPDX-License-Identifier: Apache-2.0
#pragma once
// Result<T>: a value, or an Error that says what went wrong and what to do about it.
//
// Used for everything that can fail after start-up (bytes from outside, storage, the network).
// Start-up and configuration throw instead and end in main with one clear line.

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace welcome {

enum class ErrorCode {
  malformed,    // bytes from outside that break their format
  refused,      // well-formed, but a rule says no (signature, consent, range)
  not_found,    // asked for something that is not there
  unavailable,  // a broker, device or file that is away now and may come back
  full,         // no room: disk, queue, table
  corrupt,      // our own stored bytes are damaged
  internal,     // our own bug
};

struct Error {
  ErrorCode code;
  std::string message;  // for a person; holds no personal data
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

}  // namespace welcome
