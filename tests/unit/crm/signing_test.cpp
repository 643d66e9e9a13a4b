// SPDX-License-Identifier: Apache-2.0
// Which of the CRM's keys boxes believe while one follows another.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class SigningTest : public CrmTest {
 protected:
  SigningTest() {
    see_box("aroma-1", "box-1");
    first_ = crm_->new_signing_key(now_);
    std::string from;
    while (crm_->sign_consents_again(from, 100)) {
    }
  }
  // By its own word.
  void believes(const std::vector<std::string>& keys) {
    crm_->note_believed("aroma-1", "box-1", keys);
  }
  void confirms_everything() {
    const Position head = crm_->feed().head(Collection::consents);
    db_->execute("DELETE FROM confirmed");
    db_->execute(
        "INSERT INTO confirmed (store, box, collection, epoch, seq) VALUES ('aroma-1', 'box-1', "
        "'consents', $1, $2)",
        {head.epoch, head.seq});
  }
  // The ids that it is told; "as it is" when there is nothing to tell.
  std::vector<std::string> told() {
    const auto keys = crm_->keys_to_tell("aroma-1", "box-1", now_);
    if (!keys) return {"as it is"};
    std::vector<std::string> ids;
    for (const auto& [id, key] : keys->ring.keys()) ids.push_back(id);
    return ids;
  }
  std::vector<std::string> sorted(std::vector<std::string> ids) {
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  std::string first_;
};

TEST_F(SigningTest, ABoxHearsOfTheNextKeyAndForgetsTheOldOneWhenItHasAllConsents) {
  believes({first_});
  confirms_everything();
  EXPECT_THAT(told(), ElementsAre("as it is"));
  believes({first_, "k-of-the-technician"});
  EXPECT_THAT(told(), ElementsAre("as it is")) << "which is none of ours";
  believes({first_});
  const std::string second = crm_->new_signing_key(now_);
  const auto both = sorted({first_, second});
  EXPECT_EQ(told(), both);
  believes(both);
  EXPECT_THAT(told(), ElementsAre("as it is"));
  EXPECT_THAT(crm_->boxes_without(second), IsEmpty());

  ASSERT_TRUE(crm_->use_signing_key(second, now_));
  std::string from;
  while (crm_->sign_consents_again(from, 100)) {
  }
  EXPECT_THAT(told(), ElementsAre("as it is")) << "it has consents that the old key signed";
  confirms_everything();
  EXPECT_THAT(told(), ElementsAre(second));
  believes({second});
  db_->execute("DELETE FROM confirmed");
  EXPECT_THAT(told(), ElementsAre("as it is")) << "the old one never comes back";
}

TEST_F(SigningTest, ABoxThatDoesNotSayWhatItBelievesIsToldNothing) {
  crm_->new_signing_key(now_);
  EXPECT_THAT(told(), ElementsAre("as it is"));
  EXPECT_TRUE(crm_->believed("aroma-1", "box-1").signer);
}

TEST_F(SigningTest, ToABoxThatIsAwayTheOldKeyLeavesAWord) {
  believes({first_});
  const auto old = crm_->signer();
  const std::string second = crm_->new_signing_key(now_);
  EXPECT_THAT(crm_->boxes_without(second), ElementsAre(Pair("aroma-1", "box-1")));
  ASSERT_TRUE(crm_->use_signing_key(second, now_));
  const auto has = crm_->believed("aroma-1", "box-1");
  EXPECT_FALSE(has.signer);
  EXPECT_THAT(told(), ElementsAre("as it is")) << "it would not believe it";

  contract::RawMessage raw;
  const contract::BoxAddress box{"demo", "aroma-1", "box-1"};
  raw.topic = contract::taken_topic(box);
  raw.payload = has.last_word;
  contract::KeyRing ring;
  ring.pin(first_, old->public_key());
  const auto heard = contract::decode_for_box(box, raw, &ring);
  ASSERT_TRUE(heard) << heard.error().message;
  const auto& keys = std::get<contract::Taken>(*heard).keys;
  ASSERT_TRUE(keys);
  EXPECT_TRUE(keys->ring.has(first_));
  EXPECT_TRUE(keys->ring.has(second));
  EXPECT_FALSE(contract::decode_for_box({"demo", "aroma-1", "box-2"}, raw, &ring))
      << "it is for this box";

  // What the old key said stays the way for who believes that one alone.
  const std::string third = crm_->new_signing_key(now_);
  ASSERT_TRUE(crm_->use_signing_key(third, now_));
  EXPECT_EQ(crm_->believed("aroma-1", "box-1").last_word, has.last_word);
}

}  // namespace
}  // namespace welcome::crm
