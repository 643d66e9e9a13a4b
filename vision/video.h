// SPDX-License-Identifier: Apache-2.0
#pragma once
// Video: the pictures of a recording or of a network stream, as FFmpeg's libraries decode them.
// Each comes upright, with square pixels, in a size of its own, and whole: what arrived damaged is
// an error, and so is what was built upon it. Not thread-safe. Errors name neither file nor
// address.

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "core/result.h"
#include "vision/frame_source.h"
#include "vision/image.h"

namespace welcome::vision {

class Video {
 public:
  // A recording, told by what is in it, whatever its name. It is read from its beginning, by
  // position: where the descriptor stands does not matter. Errors: unavailable (not there, not to
  // be read), refused (no video that can be decoded here).
  static Result<Video> open(const std::filesystem::path& file);
  static Result<Video> open(OpenFile file);

  // A live stream: "rtsp://…" or "rtsps://…", and nothing else.
  // Errors: unavailable, with what the other side said; refused (no such address, nothing to
  // decode).
  static Result<Video> connect(const std::string& url, std::chrono::milliseconds patience);

  Video(Video&&) noexcept;
  Video& operator=(Video&&) noexcept;
  ~Video();

  // Takes the next picture; of a stream it waits for as long as pictures may take, twice at most.
  // Errors: not_found (there are no more), malformed (a damaged one; the next may be well),
  // unavailable (a stream that is quiet: alive() says whether more may come).
  Result<void> next();

  // The picture that next() took. Errors: malformed, refused (too large).
  Result<Image> picture();

  // When it is shown, after the first one; never goes back.
  std::chrono::microseconds position() const;
  std::chrono::microseconds frame_length() const;  // on the average

  // The picture that next() takes then is at or before `to`; or nothing happens, in recordings that
  // were joined.
  void seek(std::chrono::microseconds to);

  bool alive() const;

 private:
  struct Impl;
  explicit Video(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace welcome::vision
