// SPDX-License-Identifier: Apache-2.0
#include "vision/net.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>
#include <stdexcept>

namespace welcome::vision {

cv::dnn::Net read_net(const Model& model) {
  try {
    cv::dnn::Net net = cv::dnn::readNetFromONNX(model.file.string());
    net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
    net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
    return net;
  } catch (const cv::Exception&) {
    throw std::runtime_error("models: " + model.file.string() + " cannot be loaded by OpenCV");
  }
}

cv::Mat to_blob(const cv::Mat& bgr, const Model& model) {
  return cv::dnn::blobFromImage(bgr, 1.0 / model.scale, cv::Size(), cv::Scalar::all(model.mean),
                                model.rgb, false, CV_32F);
}

cv::Mat cut(const cv::Mat& bgr, const Box& box, cv::Size size) {
  const double sx = static_cast<double>(box.width) / size.width;
  const double sy = static_cast<double>(box.height) / size.height;
  // Destination pixel centre → source pixel centre.
  const cv::Matx23d back(sx, 0, box.x + 0.5 * sx - 0.5, 0, sy, box.y + 0.5 * sy - 0.5);
  cv::Mat out;
  if (std::max(sx, sy) > 1.5) {
    // Warping skips pixels when it shrinks; averaging over the area does not.
    const cv::Rect wanted(cvRound(box.x), cvRound(box.y), std::max(1, cvRound(box.width)),
                          std::max(1, cvRound(box.height)));
    const cv::Rect inside = wanted & cv::Rect(0, 0, bgr.cols, bgr.rows);
    if (inside.empty()) return cv::Mat::zeros(size, bgr.type());
    cv::Mat padded;
    cv::copyMakeBorder(bgr(inside), padded, inside.y - wanted.y, wanted.br().y - inside.br().y,
                       inside.x - wanted.x, wanted.br().x - inside.br().x, cv::BORDER_CONSTANT);
    cv::resize(padded, out, size, 0, 0, cv::INTER_AREA);
    return out;
  }
  cv::warpAffine(bgr, out, back, size, cv::INTER_LINEAR | cv::WARP_INVERSE_MAP,
                 cv::BORDER_CONSTANT);
  return out;
}

}  // namespace welcome::vision
