#include "vision/model_pack.h"

#include <fstream>
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
  EXPECT_EQ(pack.embedder.output_size, 512);
  EXPECT_FALSE(pack.embedder.rgb);
  EXPECT_LT(pack.embedder.threshold_1e3, pack.embedder.threshold_1e4);
  EXPECT_LT(pack.embedder.threshold_1e4, pack.embedder.threshold_1e5);
  for (const Model* model : {&pack.detector, &pack.landmarks, &pack.embedder}) {
    EXPECT_FALSE(model->licence.empty()) << model->id;
    EXPECT_EQ(model->sha256.size(), 64U) << model->id;
  }
}

TEST_F(ModelPackTest, RefusesAModelWhoseBytesChanged) {
  const ModelPack pack = load_model_pack(dir_, "best");
  std::fstream file(pack.embedder.file, std::ios::in | std::ios::out | std::ios::binary);
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
  std::ofstream(pack.embedder.file) << "not a model";
  EXPECT_THROW(Recogniser{pack}, std::runtime_error);
}

}  // namespace
}  // namespace welcome::vision
