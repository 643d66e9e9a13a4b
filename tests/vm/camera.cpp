// SPDX-License-Identifier: Apache-2.0
// Plays a camera: JPEG pictures into a v4l2loopback device, again and again, until it is stopped
// (SIGSTOP: a camera that stalls; SIGTERM: one that goes away).
//
//   vm-camera DEVICE PICTURES WIDTH HEIGHT FPS      PICTURES: JPEG files, one behind the other

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <linux/videodev2.h>
#include <span>
#include <string>
#include <sys/ioctl.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using Bytes = std::span<const std::uint8_t>;

// From each start of image to its end; inside, 0xFF is never followed by 0xD9.
std::vector<Bytes> pictures_of(Bytes all) {
  constexpr std::array<std::uint8_t, 2> kStart{0xFF, 0xD8};
  constexpr std::array<std::uint8_t, 2> kEnd{0xFF, 0xD9};
  std::vector<Bytes> pictures;
  auto at = all.begin();
  for (;;) {
    const auto from = std::search(at, all.end(), kStart.begin(), kStart.end());
    const auto to = std::search(from, all.end(), kEnd.begin(), kEnd.end());
    if (to == all.end()) return pictures;
    pictures.emplace_back(from, to + 2);
    at = to + 2;
  }
}

std::uint32_t number(const char* text) {
  const std::string word(text);
  std::uint32_t value = 0;
  std::from_chars(word.data(), word.data() + word.size(), value);
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint32_t fps = argc == 6 ? number(argv[5]) : 0;
  if (fps == 0) {
    std::fputs("usage: vm-camera DEVICE PICTURES WIDTH HEIGHT FPS\n", stderr);
    return 2;
  }
  std::ifstream in(argv[2], std::ios::binary);
  const std::vector<std::uint8_t> all{std::istreambuf_iterator<char>(in), {}};
  const auto pictures = pictures_of(all);
  const int device = ::open(argv[1], O_RDWR | O_CLOEXEC);
  v4l2_format format{};
  format.type = V4L2_BUF_TYPE_VIDEO_OUTPUT;
  format.fmt.pix.width = number(argv[3]);
  format.fmt.pix.height = number(argv[4]);
  format.fmt.pix.pixelformat = V4L2_PIX_FMT_MJPEG;
  format.fmt.pix.field = V4L2_FIELD_NONE;
  format.fmt.pix.sizeimage = format.fmt.pix.width * format.fmt.pix.height * 2;
  if (pictures.empty() || device < 0 || ::ioctl(device, VIDIOC_S_FMT, &format) < 0) {
    std::perror(pictures.empty() ? argv[2] : argv[1]);
    return 1;
  }
  auto due = std::chrono::steady_clock::now();
  for (std::size_t i = 0;; i = (i + 1) % pictures.size()) {
    if (::write(device, pictures[i].data(), pictures[i].size()) < 0) {
      std::perror(argv[1]);
      return 1;
    }
    // What a stall has missed is not made up for.
    due = std::max(due + std::chrono::microseconds{1'000'000 / fps},
                   std::chrono::steady_clock::now());
    std::this_thread::sleep_until(due);
  }
}
