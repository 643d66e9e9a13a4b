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

}  // namespace
}  // namespace welcome
