// SPDX-License-Identifier: Apache-2.0
#include "vision/model_pack.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/vision/support.h"
#include "vision/recogniser.h"

namespace welcome::vision {
namespace {

namespace fs = std::filesystem;

class ModelPackTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WELCOME_NEEDS_MODELS();
    dir_ = fs::temp_directory_path() /
           ("welcome-models-" + std::to_string(::getpid()) + "-" +
            ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(dir_);
    fs::copy(testing::models_dir(), dir_, fs::copy_options::recursive);
  }
  void TearDown() override {
    if (!dir_.empty()) fs::remove_all(dir_);
  }
  std::string refusal(const std::string& pack = "best") const {
    try {
      load_model_pack(dir_, pack);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  }
  fs::path dir_;
};

TEST_F(ModelPackTest, NamesModelsWithLicenceAndThresholds) {
  const ModelPack pack = load_model_pack(dir_, "best");
  ASSERT_EQ(pack.recognisers.size(), 1U);
  EXPECT_EQ(pack.recognisers[0].output_size, 512);
  EXPECT_FALSE(pack.recognisers[0].rgb);
  EXPECT_EQ(pack.liveness.size(), 1U);
  EXPECT_LT(pack.thresholds.fmr_1e3, pack.thresholds.fmr_1e4);
  EXPECT_LT(pack.thresholds.fmr_1e4, pack.thresholds.fmr_1e5);
  EXPECT_GT(pack.thresholds.worst_group, 1);
  for (const Model* model : {&pack.detector, &pack.landmarks, &pack.recognisers[0]}) {
    EXPECT_FALSE(model->licence.empty()) << model->id;
    EXPECT_EQ(model->sha256.size(), 64U) << model->id;
  }
}

// The files that no package carries; a box works without them.
constexpr const char* kFetched = "face-reidentification-retail-0095.onnx";

TEST_F(ModelPackTest, WithoutTheFetchedFilesTheBoxWorksAsItDidAndSaysWhatItWouldGain) {
  fs::remove(dir_ / kFetched);
  EXPECT_EQ(load_model_pack(dir_, std::string(kAnyPack)).name, "best");
  EXPECT_NE(refusal("clear").find("vision/models/prepare"), std::string::npos);
  const auto absent = absent_packs(dir_);
  ASSERT_EQ(absent.size(), 2U);
  EXPECT_EQ(absent[0].name, "clear");
  EXPECT_THAT(absent[0].files, ::testing::Contains(kFetched));
  EXPECT_FALSE(absent[0].gain.empty());
  EXPECT_EQ(absent[1].name, "fused");
}

TEST_F(ModelPackTest, WithThemThePackOfKnownOriginIsTheDefault) {
  if (!fs::exists(dir_ / kFetched)) GTEST_SKIP() << kFetched << " (vision/models/prepare --from)";
  const ModelPack pack = load_model_pack(dir_, std::string(kAnyPack));
  EXPECT_EQ(pack.name, "clear");
  ASSERT_EQ(pack.recognisers.size(), 2U);
  for (const Model& model : pack.recognisers) EXPECT_EQ(model.licence, "Apache-2.0");
  EXPECT_EQ(pack.recognisers[1].input_width, 128);
  EXPECT_EQ(pack.liveness.size(), 2U);
  EXPECT_TRUE(absent_packs(dir_).empty());
  const Recogniser recogniser(pack);
  EXPECT_EQ(recogniser.model().name(), "mobilefacenet-sirius+face-reidentification-retail-0095");
}

TEST_F(ModelPackTest, RefusesAModelWhoseBytesChanged) {
  const ModelPack pack = load_model_pack(dir_, "best");
  std::fstream file(pack.recognisers[0].file, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(1000);
  file.put('\x55');
  file.close();
  EXPECT_NE(refusal().find("checksum"), std::string::npos);
}

TEST_F(ModelPackTest, RefusesAMissingModelAPackThatIsNotThereAndADamagedList) {
  EXPECT_NE(refusal("finest").find("no pack"), std::string::npos);
  fs::remove(load_model_pack(dir_, "best").detector.file);
  EXPECT_NE(refusal().find("cannot read"), std::string::npos);
  std::ofstream(dir_ / "models.json") << "{\"packs\": {";
  EXPECT_NE(refusal().find("damaged"), std::string::npos);
  fs::remove(dir_ / "models.json");
  EXPECT_NE(refusal().find("missing"), std::string::npos);
}

TEST_F(ModelPackTest, ANetThatIsNoNetIsOneClearLine) {
  ModelPack pack = load_model_pack(dir_, "best");
  std::ofstream(pack.recognisers[0].file) << "not a model";
  EXPECT_THROW(Recogniser{pack}, std::runtime_error);
}

}  // namespace
}  // namespace welcome::vision
