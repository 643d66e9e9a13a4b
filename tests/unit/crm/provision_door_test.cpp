// SPDX-License-Identifier: Apache-2.0
// A box asks the door for its invitation.

#include <array>
#include <chrono>

#include "crm/boxes.h"
#include "crm/invitations.h"
#include "tests/unit/crm/door_fixture.h"

namespace welcome::crm {
namespace {

using provision::InvitationCode;

class ProvisionDoor : public DoorTest {
 protected:
  ProvisionDoor() {
    origin_ = "";
    provision::Invitation invitation;
    invitation.store = "aroma-1";
    invitation.box = "box-1";
    invitation.password = "of the broker";
    sealed_ = provision::seal(code_, invitation);
    Transaction transaction(*db_);
    Boxes(*crm_).admit("aroma-1", "box-1", "ada", now_);
    Invitations(*crm_).put("aroma-1", "box-1", code_.name(), sealed_, now_ + 72h, now_);
    transaction.commit();
  }
  static json said_by(const InvitationCode& code, std::uint8_t box) {
    const auto request = provision::request_by(code, std::array<std::uint8_t, 32>{box});
    return {{"invitation", request.invitation},
            {"box_key", request.box_key},
            {"proof", request.proof},
            {"box_proof", request.box_proof}};
  }
  Response provision(const json& body) { return ask("POST", "/v1/provision", "", body); }

  const InvitationCode code_ = InvitationCode::fresh();
  std::string sealed_;
};

TEST_F(ProvisionDoor, AnswersTheBoxThatHasTheCode) {
  for (int again = 0; again < 2; ++again) {
    const Response answer = provision(said_by(code_, 1));
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(json::parse(answer.body), (json{{"sealed", sealed_}}));
    EXPECT_EQ(answer.set_cookie, "");
  }
}

TEST_F(ProvisionDoor, SaysTheSameToAllOthers) {
  const Response unknown = provision(said_by(InvitationCode::fresh(), 1));
  EXPECT_EQ(unknown.status, 403);
  EXPECT_EQ(problem_of(unknown), "not-invited");
  json forged = said_by(code_, 1);
  forged["box_key"] = said_by(code_, 2).at("box_key");
  EXPECT_EQ(provision(forged).body, unknown.body);
  ASSERT_EQ(provision(said_by(code_, 1)).status, 200);
  EXPECT_EQ(provision(said_by(code_, 2)).body, unknown.body) << "another box has it";
  now_ += 73h;
  EXPECT_EQ(provision(said_by(code_, 1)).body, unknown.body) << "it is over";
}

TEST_F(ProvisionDoor, IsNothingForPages) {
  origin_ = kOrigin;
  EXPECT_EQ(problem_of(provision(said_by(code_, 1))), "foreign-origin");
  origin_ = "https://elsewhere.example";
  EXPECT_EQ(problem_of(provision(said_by(code_, 1))), "foreign-origin");
  origin_ = "";
  type_ = "text/plain";
  EXPECT_EQ(problem_of(provision(said_by(code_, 1))), "not-json");
}

TEST_F(ProvisionDoor, RefusesWhatIsNotAsDescribed) {
  for (const char* name : {"invitation", "box_key", "proof", "box_proof"}) {
    json body = said_by(code_, 1);
    body.erase(name);
    EXPECT_EQ(provision(body).status, 400) << name;
    body[name] = 1;
    EXPECT_EQ(provision(body).status, 400) << name;
    body[name] = "no base64";
    EXPECT_EQ(provision(body).status, 403) << name;
  }
}

TEST_F(ProvisionDoor, IsNotTriedWithoutEnd) {
  int refused = 0;
  while (provision(said_by(InvitationCode::fresh(), 1)).status == 403) ++refused;
  EXPECT_LE(refused, 20);
  EXPECT_EQ(provision(said_by(code_, 1)).status, 429);
  address_ = "203.0.113.8";
  EXPECT_EQ(provision(said_by(code_, 1)).status, 200) << "somebody else is not held up";
}

}  // namespace
}  // namespace welcome::crm
