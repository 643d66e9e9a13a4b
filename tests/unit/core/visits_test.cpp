// SPDX-License-Identifier: Apache-2.0
// Visits: from the first sighting to going away.

#include "tests/unit/core/shop.h"

namespace welcome {
namespace {

using namespace test;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using Kind = VisitEvent::Kind;

TEST(Visits, a_passer_by_is_an_encounter_and_never_reported) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Effects e = shop.stay(paul, Zone::street, 20s);
  e.append(shop.wait(60s));
  EXPECT_THAT(e.visits, IsEmpty());
  EXPECT_THAT(shop.pipeline->visits(), IsEmpty());
}

TEST(Visits, a_visit_starts_at_the_door_moves_and_ends_after_going_away) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  EXPECT_THAT(visit_kinds(shop.stay(paul, Zone::street, 3s)), IsEmpty());
  EXPECT_THAT(visit_kinds(shop.phone(paul, Zone::door)), ElementsAre(Kind::started));
  EXPECT_THAT(visit_kinds(shop.stay(paul, Zone::desk, 10s)), ElementsAre(Kind::moved));
  const Effects gone = shop.leave(paul);
  EXPECT_THAT(visit_kinds(gone), ElementsAre(Kind::ended));
  EXPECT_EQ(gone.visits[0].ended_why, "left");
  EXPECT_THAT(shop.pipeline->visits(), IsEmpty());
  EXPECT_THAT(shop.rows(StateRow::Kind::visit), IsEmpty());
}

TEST(Visits, there_is_one_per_customer_whatever_she_is_noticed_by) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Effects e = shop.phone(paul, Zone::inside);
  e.append(shop.phone(paul, Zone::inside, ClaimSource::static_beacon));
  e.append(shop.phone(paul, Zone::inside, ClaimSource::app_report));
  e.append(shop.face(paul));
  const auto kinds = visit_kinds(e);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), Kind::started), 1);
  EXPECT_THAT(shop.pipeline->visits().at(0).by, ElementsAre("phone", "beacon", "app", "face"));
}

// What the camera may look for, as the last effects said.
struct Camera {
  bool awake = false;
  void hear(const Effects& e) {
    if (e.face_candidates) awake = !e.face_candidates->empty();
  }
};

// The phone has gone off the air, and the camera sees this customer every two seconds.
Effects seen_only(Shop& shop, const CustomerId& customer, std::chrono::seconds d, Camera& camera) {
  Effects all;
  for (auto i = 0s; i < d && camera.awake; i += 2s) {
    all.append(shop.wait(2s));
    all.append(shop.face(customer));
    camera.hear(all);
  }
  return all;
}

TEST(Visits, go_on_by_the_face_alone_while_the_phone_is_silent) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Camera camera;
  camera.hear(shop.stay(paul, Zone::desk, 5s));
  const Effects e = seen_only(shop, paul, PipelineSettings{}.face_alone / 2s * 1s, camera);
  EXPECT_TRUE(camera.awake);
  EXPECT_THAT(visit_kinds(e), testing::Not(Contains(Kind::ended)));
  // Heard again, the time begins again.
  camera.hear(shop.phone(paul, Zone::desk));
  seen_only(shop, paul, PipelineSettings{}.face_alone / 3s * 2s, camera);
  EXPECT_TRUE(camera.awake);
}

TEST(Visits, do_not_go_on_by_the_face_alone_for_ever) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Camera camera;
  camera.hear(shop.stay(paul, Zone::desk, 5s));
  const auto silent_since = shop.mono;
  seen_only(shop, paul, 24h, camera);
  EXPECT_FALSE(camera.awake) << "a camera must not keep itself awake";
  EXPECT_GE(shop.mono - silent_since, PipelineSettings{}.face_alone - 2s);
  EXPECT_LE(shop.mono - silent_since, PipelineSettings{}.face_alone + 2s);
  const Effects e = shop.wait(PipelineSettings{}.visit_timeout + 2s);
  EXPECT_THAT(visit_kinds(e), Contains(Kind::ended));
}

TEST(Visits, that_only_a_face_began_end_too_and_begin_anew_once_it_was_away) {
  Shop shop;  // the cameras of this shop look all day
  const auto paul = shop.member("c-paul");
  Effects e;
  for (auto i = 0s; i < 3 * PipelineSettings{}.face_alone; i += 2s) {
    e.append(shop.face(paul));
    e.append(shop.wait(2s));
  }
  EXPECT_THAT(visit_kinds(e), testing::ElementsAre(Kind::started, Kind::ended));
  e = shop.wait(PipelineSettings{}.encounter_timeout + 1s);
  e.append(shop.face(paul));
  EXPECT_THAT(visit_kinds(e), ElementsAre(Kind::started));
}

TEST(Visits, go_on_by_the_face_alone_no_longer_for_a_restart) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Camera camera;
  camera.hear(shop.stay(paul, Zone::desk, 5s));
  const auto half = PipelineSettings{}.face_alone / 2s * 1s;
  seen_only(shop, paul, half, camera);
  shop.restart();
  camera.hear(shop.face(paul));
  const auto before = shop.mono;
  seen_only(shop, paul, 24h, camera);
  EXPECT_FALSE(camera.awake);
  EXPECT_LE(shop.mono - before, half + 2s);
}

TEST(Visits, are_not_kept_by_a_face_that_says_rather_that_it_is_somebody_else) {
  Shop shop;
  const auto paul = shop.member("c-paul");
  Camera camera;
  camera.hear(shop.stay(paul, Zone::desk, 5s));
  Effects e;
  for (auto i = 0s; i < PipelineSettings{}.visit_timeout + 4s; i += 2s) {
    e.append(shop.wait(2s));
    e.append(shop.face(paul, 0.05));
  }
  camera.hear(e);
  EXPECT_FALSE(camera.awake);
  EXPECT_THAT(visit_kinds(e), Contains(Kind::ended));
  EXPECT_THAT(visit_kinds(shop.face(shop.member("c-anna"), 0.05)), IsEmpty());
}

}  // namespace
}  // namespace welcome
