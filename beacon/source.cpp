// SPDX-License-Identifier: Apache-2.0
#include "beacon/source.h"

namespace welcome::beacon {

std::string_view to_string(SourceState state) {
  switch (state) {
    case SourceState::stopped:
      return "stopped";
    case SourceState::starting:
      return "starting";
    case SourceState::running:
      return "running";
    case SourceState::recovering:
      return "recovering";
    case SourceState::ended:
      return "ended";
    case SourceState::failed:
      return "failed";
  }
  return "?";
}

}  // namespace welcome::beacon
