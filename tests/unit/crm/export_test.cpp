// SPDX-License-Identifier: Apache-2.0
// The export holds everything, in the form that is published.

#include <fstream>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

class ExportTest : public CrmTest {
 protected:
  static std::string complaints(const json& document) {
    std::ifstream in(WELCOME_EXPORT_SCHEMA);
    const json text = json::parse(in);
    valijson::Schema schema;
    valijson::SchemaParser().populateSchema(valijson::adapters::NlohmannJsonAdapter(text), schema);
    valijson::ValidationResults results;
    valijson::adapters::NlohmannJsonAdapter target(document);
    std::string out;
    if (!valijson::Validator().validate(schema, target, &results)) {
      valijson::ValidationResults::Error error;
      while (results.popError(error)) out += error.description + "; ";
    }
    return out;
  }
};

TEST_F(ExportTest, IsCompleteAndAsPublished) {
  ASSERT_TRUE(crm_->put_identity({{"identity", "i-paul"},
                                  {"customer", "c-paul"},
                                  {"kind", "eddystone_uid"},
                                  {"namespace", "00112233445566778899"},
                                  {"instance", "001122334455"}}));
  ASSERT_TRUE(crm_->put_policy(
      {{"time_zone", "UTC"},
       {"surveys", {{{"id", "s"}, {"kind", "csat"}, {"question", {{"en", "How was it?"}}}}}}}));
  offer("e-1", "d-1", "c-paul");
  request("c-paul", {{"id", "q-1"}, {"kind", "offer.opened"}, {"decision", "d-1"}});
  request("c-paul", {{"id", "q-2"},
                     {"kind", "survey.answer"},
                     {"survey", "s"},
                     {"survey_kind", "nps"},
                     {"score", 9}});
  event("e-2", "decision.survey", "c-paul",
        {{"decision", "d-2"},
         {"visit", "v-1"},
         {"survey", "s"},
         {"kind", "csat"},
         {"language", "en"},
         {"question", "How was it?"},
         {"expires_at", contract::to_rfc3339(now_ + std::chrono::minutes(10))}});
  intake_->work(now_);
  const auto data = crm_->export_customer("c-paul", now_);
  ASSERT_TRUE(data);
  EXPECT_EQ(complaints(*data), "");
  EXPECT_EQ(data->at("consents").size(), 5U);
  for (const char* part : {"identities", "offers", "survey_answers"}) {
    EXPECT_EQ(data->at(part).size(), 1U) << part;
  }
  for (const char* part : {"events", "app_requests", "shown"}) {
    EXPECT_EQ(data->at(part).size(), 2U) << part;
  }
  // The offer and the question, as they are kept for the page.
  json wrong = *data;
  wrong["shown"][0].erase("expires_at");
  EXPECT_NE(complaints(wrong), "");
  EXPECT_NE(complaints({{"v", 1}}), "") << "the schema refuses what is not an export";
}

}  // namespace
}  // namespace welcome::crm
