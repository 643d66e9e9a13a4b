// SPDX-License-Identifier: Apache-2.0
#include "vision/v4l2_device.h"

#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace welcome::vision {
namespace {

class KernelDevice final : public V4l2Device {
 public:
  explicit KernelDevice(int fd) : fd_(fd) {}
  KernelDevice(const KernelDevice&) = delete;
  KernelDevice& operator=(const KernelDevice&) = delete;
  ~KernelDevice() override {
    for (const Mapping& mapping : mappings_) ::munmap(mapping.data, mapping.size);
    ::close(fd_);
  }

  int control(unsigned long request, void* argument) override {
    int result = 0;
    do {
      result = ::ioctl(fd_, request, argument);
    } while (result < 0 && errno == EINTR);
    return result;
  }

  short wait(std::chrono::milliseconds patience) override {
    pollfd ready{fd_, POLLIN | POLLPRI, 0};
    const int count = ::poll(&ready, 1, static_cast<int>(patience.count()));
    if (count < 0) return errno == EINTR ? short{0} : short{POLLERR};
    return count == 0 ? short{0} : ready.revents;
  }

  std::span<const std::uint8_t> map(const v4l2_buffer& buffer) override {
    void* data = ::mmap(nullptr, buffer.length, PROT_READ, MAP_SHARED, fd_, buffer.m.offset);
    if (data == MAP_FAILED) return {};
    mappings_.push_back({data, buffer.length});
    return {static_cast<const std::uint8_t*>(data), buffer.length};
  }

 private:
  struct Mapping {
    void* data;
    std::size_t size;
  };
  int fd_;
  std::vector<Mapping> mappings_;
};

std::string why_not(int error) {
  switch (error) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return "there is no such device";
    case EACCES:
    case EPERM:
      return "access to the device is refused";
    case EBUSY:
      return "another program uses the device";
    default:
      return "the device cannot be opened (error " + std::to_string(error) + ")";
  }
}

}  // namespace

Result<std::unique_ptr<V4l2Device>> open_v4l2_device(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return fail(ErrorCode::unavailable, why_not(errno));
  return std::make_unique<KernelDevice>(fd);
}

}  // namespace welcome::vision
