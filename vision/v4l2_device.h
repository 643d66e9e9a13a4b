// SPDX-License-Identifier: Apache-2.0
#pragma once
// V4l2Device: a camera of the kernel, as its driver answers. Used by one thread, the source's.

#include <chrono>
#include <cstdint>
#include <functional>
#include <linux/videodev2.h>
#include <memory>
#include <span>
#include <string>

#include "core/result.h"
#include "vision/frame_source.h"

namespace welcome::vision {

class V4l2Device {
 public:
  virtual ~V4l2Device() = default;  // unmaps what was mapped
  // As ioctl(2), repeated while it is interrupted: -1 and errno where it fails.
  virtual int control(unsigned long request, void* argument) = 0;
  // What came within `patience`: bits of poll(2), 0 for nothing. POLLERR where the call itself
  // fails.
  virtual short wait(std::chrono::milliseconds patience) = 0;
  // The memory of a buffer that was queried, as long as the device is open; empty where it fails.
  virtual std::span<const std::uint8_t> map(const v4l2_buffer& buffer) = 0;
};

// Errors: unavailable, with a sentence for a person.
using OpenV4l2Device = std::function<Result<std::unique_ptr<V4l2Device>>(const std::string& path)>;
Result<std::unique_ptr<V4l2Device>> open_v4l2_device(const std::string& path);

// make_v4l2_source() with a device of the caller's own.
std::unique_ptr<FrameSource> make_v4l2_source(V4l2Options options, OpenV4l2Device open);

}  // namespace welcome::vision
