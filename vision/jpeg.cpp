// SPDX-License-Identifier: Apache-2.0
#include "vision/jpeg.h"

#include <csetjmp>
#include <cstdio>
#include <jerror.h>
#include <jpeglib.h>
#include <opencv2/imgproc.hpp>

namespace welcome::vision {
namespace {

// libjpeg reports through this: errors jump back, warnings are judged.
struct Judge {
  jpeg_error_mgr manager{};  // first: libjpeg knows it by this address
  std::jmp_buf back{};
  bool damaged = false;
  bool ended = false;  // before its end marker
};

Judge* judge_of(j_common_ptr jpeg) { return reinterpret_cast<Judge*>(jpeg->err); }

[[noreturn]] void on_error(j_common_ptr jpeg) { std::longjmp(judge_of(jpeg)->back, 1); }

// Level −1 is a warning. Bytes between two segments, and a colour transform that Adobe's tag does
// not name, do no harm; cheap cameras send both, and forget the end marker. Every other warning
// means pixels that were guessed.
void on_message(j_common_ptr jpeg, int level) {
  if (level >= 0) return;
  Judge& judge = *judge_of(jpeg);
  const int code = jpeg->err->msg_code;
  if (code == JWRN_JPEG_EOF) {
    judge.ended = true;
  } else if (code != JWRN_EXTRANEOUS_DATA && code != JWRN_ADOBE_XFORM && code != JWRN_JFIF_MAJOR) {
    judge.damaged = true;
  }
}

void say_nothing(j_common_ptr /*jpeg*/) {}

// Four inks, as Adobe's programs write them: inverted.
void inks_to_bgr(const cv::Mat& inks, cv::Mat& bgr) {
  for (int y = 0; y < inks.rows; ++y) {
    const auto* from = inks.ptr<cv::Vec4b>(y);
    auto* to = bgr.ptr<cv::Vec3b>(y);
    for (int x = 0; x < inks.cols; ++x) {
      for (int c = 0; c < 3; ++c) {
        to[x][2 - c] = static_cast<std::uint8_t>(from[x][c] * from[x][3] / 255);
      }
    }
  }
}

// What must not be jumped over lives in the caller.
bool decode(jpeg_decompress_struct& jpeg, Judge& judge, std::span<const std::uint8_t> bytes,
            cv::Mat& pixels) {
  if (setjmp(judge.back) != 0) return false;
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, bytes.data(), bytes.size());
  if (jpeg_read_header(&jpeg, TRUE) != JPEG_HEADER_OK) return false;
  const bool inks = jpeg.jpeg_color_space == JCS_CMYK || jpeg.jpeg_color_space == JCS_YCCK;
  jpeg.out_color_space = inks ? JCS_CMYK : JCS_EXT_BGR;
  jpeg_start_decompress(&jpeg);
  pixels.create(static_cast<int>(jpeg.output_height), static_cast<int>(jpeg.output_width),
                inks ? CV_8UC4 : CV_8UC3);
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW row = pixels.ptr(static_cast<int>(jpeg.output_scanline));
    jpeg_read_scanlines(&jpeg, &row, 1);
  }
  // Of a progressive picture whole scans may be missing without another warning.
  const bool several_scans = jpeg.progressive_mode != 0 || jpeg.input_scan_number > 1;
  jpeg_finish_decompress(&jpeg);
  return !judge.damaged && !(judge.ended && several_scans);
}

}  // namespace

std::optional<Image> decode_jpeg(std::span<const std::uint8_t> bytes) {
  jpeg_decompress_struct jpeg{};
  Judge judge;
  jpeg.err = jpeg_std_error(&judge.manager);
  judge.manager.error_exit = on_error;
  judge.manager.emit_message = on_message;
  judge.manager.output_message = say_nothing;
  cv::Mat pixels;
  const bool whole = decode(jpeg, judge, bytes, pixels);
  jpeg_destroy_decompress(&jpeg);
  if (!whole) return std::nullopt;
  if (pixels.channels() == 3) return Image(pixels);
  cv::Mat bgr(pixels.size(), CV_8UC3);
  inks_to_bgr(pixels, bgr);
  return Image(bgr);
}

}  // namespace welcome::vision
