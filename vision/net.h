// SPDX-License-Identifier: Apache-2.0
#pragma once
// What all nets of this room have in common: how one is loaded, and how a picture becomes its
// input.

#include <opencv2/dnn.hpp>

#include "vision/image.h"
#include "vision/model_pack.h"

namespace welcome::vision {

// Throws std::runtime_error if OpenCV cannot load it.
cv::dnn::Net read_net(const Model& model);

// NCHW float input of a net: (pixel − mean) / scale, in the channel order it was trained on.
cv::Mat to_blob(const cv::Mat& bgr, const Model& model);

// Copies `box` out of `bgr` at `size`; what lies beyond the picture is black.
cv::Mat cut(const cv::Mat& bgr, const Box& box, cv::Size size);

}  // namespace welcome::vision
