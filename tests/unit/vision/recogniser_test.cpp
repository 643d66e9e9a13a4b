// SPDX-License-Identifier: Apache-2.0
#include "vision/recogniser.h"

#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "tests/unit/vision/support.h"

namespace welcome::vision {
namespace {

using testing::group_picture;
using testing::media;

class RecogniserTest : public ::testing::Test {
 protected:
  void SetUp() override { WELCOME_NEEDS_MODELS_AND_MEDIA(); }

  // Loading takes a while; the nets hold no state between pictures.
  static Recogniser& recogniser() {
    static Recogniser instance(load_model_pack(testing::models_dir(), "best"));
    return instance;
  }
  static Embedding embed(const Image& image) {
    const auto face = recogniser().portrait(image);
    return face ? face->embedding : Embedding{};
  }
  static Image load(const std::filesystem::path& file) {
    const auto image = Image::load(file);
    EXPECT_TRUE(image.has_value()) << file;
    return image.value_or(Image{});
  }
};

TEST_F(RecogniserTest, KnowsAFaceAgainWhateverTheSizeColourAndTightnessOfThePicture) {
  const Image original = load(media("audrey.jpg"));
  const Embedding face = embed(original);
  ASSERT_FALSE(face.empty());

  cv::Mat grey;
  cv::cvtColor(original.mat(), grey, cv::COLOR_BGR2GRAY);
  EXPECT_GT(cosine(face, embed(Image(grey))), 0.85F);

  cv::Mat small;
  cv::resize(original.mat(), small, {}, 0.25, 0.25, cv::INTER_AREA);
  EXPECT_GT(cosine(face, embed(Image(small))), 0.8F);

  cv::Mat large;
  cv::resize(original.mat(), large, {}, 5, 5, cv::INTER_CUBIC);
  EXPECT_GT(cosine(face, embed(Image(large))), 0.85F);

  cv::Mat wide;
  cv::copyMakeBorder(original.mat(), wide, 100, 100, 700, 700, cv::BORDER_CONSTANT);
  EXPECT_GT(cosine(face, embed(Image(wide))), 0.85F);

  const auto found = recogniser().portrait(original);
  const cv::Rect box(static_cast<int>(found->box.x), static_cast<int>(found->box.y),
                     static_cast<int>(found->box.width), static_cast<int>(found->box.height));
  const cv::Mat tight = original.mat()(box & cv::Rect(0, 0, original.width(), original.height()));
  EXPECT_GT(cosine(face, embed(Image(tight))), 0.75F);
}

TEST_F(RecogniserTest, TurnsAPictureUprightByItsExifTag) {
  // A JPEG whose pixels lie on their side, with an Exif orientation of 6 (turn clockwise).
  const Image upright = load(media("audrey.jpg"));
  cv::Mat turned;
  cv::rotate(upright.mat(), turned, cv::ROTATE_90_COUNTERCLOCKWISE);
  std::vector<std::uint8_t> jpeg;
  cv::imencode(".jpg", turned, jpeg);
  const std::uint8_t exif[] = {0xFF, 0xE1, 0x00, 0x22, 'E',  'x',  'i',  'f',  0x00,
                               0x00, 'I',  'I',  0x2A, 0x00, 0x08, 0x00, 0x00, 0x00,
                               0x01, 0x00, 0x12, 0x01, 0x03, 0x00, 0x01, 0x00, 0x00,
                               0x00, 0x06, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
  jpeg.insert(jpeg.begin() + 2, std::begin(exif), std::end(exif));
  const auto image = Image::decode(jpeg);
  ASSERT_TRUE(image.has_value());
  EXPECT_EQ(image->width(), upright.width());
  EXPECT_GT(cosine(embed(upright), embed(*image)), 0.9F);
}

// Quality judges the aligned face, and the same one is embedded: it takes no picture to embed it.
TEST_F(RecogniserTest, AlignsAFaceOnce) {
  const Image picture = load(media("audrey.jpg"));
  Face face = recogniser().find(picture).at(0);
  ASSERT_EQ(face.aligned.width(), 112);
  recogniser().embed(face);
  EXPECT_GT(cosine(face.embedding, embed(picture)), 0.95F);
  face.crops.clear();
  recogniser().embed(face);
  EXPECT_TRUE(face.embedding.empty());
}

TEST_F(RecogniserTest, FindsEverybodyInAGroupPicture) {
  const auto faces = recogniser().find(load(group_picture(1)));
  EXPECT_GE(faces.size(), 3U);
  EXPECT_TRUE(std::is_sorted(faces.begin(), faces.end(), [](const Face& a, const Face& b) {
    return a.box.area() > b.box.area();
  }));
}

TEST_F(RecogniserTest, TellsTheSamplePeopleApart) {
  const Embedding a = embed(load(media("franck_01829.jpg")));
  const Embedding again = embed(load(media("franck_04117.jpg")));
  const Embedding other = embed(load(media("audrey.jpg")));
  ASSERT_FALSE(a.empty() || again.empty() || other.empty());
  EXPECT_GT(cosine(a, again), 0.6F);
  EXPECT_LT(cosine(a, other), 0.25F);
}

TEST_F(RecogniserTest, HasNoFacesForPicturesWithoutAny) {
  EXPECT_FALSE(recogniser().portrait(Image{}));
  EXPECT_FALSE(recogniser().portrait(Image(cv::Mat(1, 1, CV_8UC3, cv::Scalar::all(9)))));
  EXPECT_FALSE(recogniser().portrait(Image(cv::Mat(3, 4000, CV_8UC3, cv::Scalar::all(9)))));
  EXPECT_FALSE(recogniser().portrait(Image(cv::Mat(480, 640, CV_8UC3, cv::Scalar::all(0)))));
  cv::Mat noise(480, 640, CV_8UC3);
  cv::theRNG().state = 7;
  cv::randu(noise, 0, 255);
  EXPECT_FALSE(recogniser().portrait(Image(noise)));
}

TEST_F(RecogniserTest, CopesWithAn8kFrame) {
  cv::Mat huge(4320, 7680, CV_8UC3, cv::Scalar::all(60));
  const Image audrey = load(media("audrey.jpg"));
  cv::Mat big;
  cv::resize(audrey.mat(), big, {1620, 2160});
  big.copyTo(huge(cv::Rect(3000, 1000, big.cols, big.rows)));
  const auto face = recogniser().portrait(Image(huge));
  ASSERT_TRUE(face);
  EXPECT_GT(cosine(face->embedding, embed(audrey)), 0.8F);
}

TEST_F(RecogniserTest, FindsFarFacesInTiles) {
  const Image audrey = load(media("audrey.jpg"));
  const auto near = recogniser().portrait(audrey);
  const double scale = 26.0 / static_cast<double>(near->box.width);
  cv::Mat small;
  cv::resize(audrey.mat(), small, {}, scale, scale, cv::INTER_AREA);
  int found = 0;
  int places = 0;
  for (int x = 40; x + small.cols < 1280; x += 230) {
    for (int y = 30; y + small.rows < 720; y += 170) {
      cv::Mat room(720, 1280, CV_8UC3, cv::Scalar(150, 160, 165));
      small.copyTo(room(cv::Rect(x, y, small.cols, small.rows)));
      ++places;
      found += recogniser().detect(Image(room), tiles_of(1280, 720)).empty() ? 0 : 1;
    }
  }
  EXPECT_GE(found, places - 1);
}

TEST(Image, RefusesWhatIsNoPicture) {
  EXPECT_EQ(Image::decode({}).error().code, ErrorCode::malformed);
  const std::vector<std::uint8_t> garbage(1000, 0xD8);
  EXPECT_EQ(Image::decode(garbage).error().code, ErrorCode::malformed);
  EXPECT_EQ(Image::load("/nowhere/at/all.jpg").error().code, ErrorCode::not_found);
}

TEST(Image, TakesGreyAlphaAndSixteenBits) {
  EXPECT_EQ(Image(cv::Mat(4, 6, CV_8UC1)).mat().channels(), 3);
  EXPECT_EQ(Image(cv::Mat(4, 6, CV_8UC4)).mat().channels(), 3);
  EXPECT_EQ(Image(cv::Mat(4, 6, CV_16UC3)).mat().depth(), CV_8U);
  EXPECT_TRUE(Image(cv::Mat(4, 6, CV_32FC3)).empty());
  EXPECT_TRUE(Image(cv::Mat()).empty());
}

// The published pictures of 40 people: every pair of the 400, as many impostors as there are.
TEST_F(RecogniserTest, VerifiesTheOrlPairs) {
  const char* data = std::getenv("WELCOME_DATA");
  if (data == nullptr) GTEST_SKIP() << "ORL faces (WELCOME_DATA)";
  std::vector<Embedding> faces;
  for (int person = 1; person <= 40; ++person) {
    for (int picture = 1; picture <= 10; ++picture) {
      faces.push_back(
          embed(load(std::filesystem::path(data) / "faces/orl" / ("s" + std::to_string(person)) /
                     (std::to_string(picture) + ".pgm"))));
      ASSERT_FALSE(faces.back().empty()) << person << '/' << picture;
    }
  }
  std::vector<float> genuine;
  std::vector<float> impostor;
  for (std::size_t i = 0; i < faces.size(); ++i) {
    for (std::size_t k = i + 1; k < faces.size(); ++k) {
      (i / 10 == k / 10 ? genuine : impostor).push_back(cosine(faces[i], faces[k]));
    }
  }
  std::sort(impostor.rbegin(), impostor.rend());
  const float threshold = impostor[impostor.size() / 10000];
  const auto accepted = std::count_if(genuine.begin(), genuine.end(),
                                      [&](float similarity) { return similarity > threshold; });
  EXPECT_GE(static_cast<double>(accepted) / static_cast<double>(genuine.size()), 0.995);
  const ModelPack& pack = recogniser().pack();
  EXPECT_NEAR(threshold, pack.thresholds.fmr_1e4, 0.06);  // of unconstrained pictures
}

}  // namespace
}  // namespace welcome::vision
