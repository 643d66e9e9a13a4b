// SPDX-License-Identifier: Apache-2.0
#pragma once
// Desk: consent given at the desk, which holds until the CRM's record has it, or withdrawn there;
// and enrolment of faces, for the tablets and for welcomectl. Engine thread only.

#include <compare>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "firmware/engine/delivery.h"
#include "firmware/engine/face_watch.h"
#include "firmware/engine/member_lookup.h"
#include "firmware/engine/shared.h"

namespace welcome::daemon {

class Desk {
 public:
  struct Needs {
    virtual ~Needs() = default;
    virtual void store_failed(const Error& error) = 0;
    virtual Effects ask(const Event& event, const Now& now, std::string_view item = {}) = 0;
    [[nodiscard]] virtual Result<void> carry_out(Effects effects, const Now& now,
                                                 const Also& also = {}) = 0;
    // The same for an event; `by`: who changes a consent, for the audit trail.
    [[nodiscard]] virtual Result<void> decide_by(std::string_view by, const Event& event,
                                                 const Now& now, const Also& also) = 0;
    // Why a well-formed record does not count.
    virtual std::optional<std::string> refuse_consent(const ConsentRecord& record) = 0;
    virtual void note_refused(const std::string& why) = 0;
  };
  Desk(Shared& shared, Delivery& delivery, FaceWatch& faces, MemberLookup& lookups, Needs& needs)
      : shared_(shared), delivery_(delivery), faces_(faces), lookups_(lookups), needs_(needs) {}

  // Puts what was given here into the gate. Throws std::runtime_error.
  void load(const Now& now);
  // `message.staff` is who is signed in on the tablet.
  void hear(const contract::EnrolMessage& message, const Now& now);
  // What runs for this tablet stops.
  void cancel(const std::string& tablet);

  // Consents given here that the CRM's record does not have yet. Their ids.
  std::vector<std::string> given_here(const CustomerId& customer, Purpose purpose) const;
  // Those of them whose step this history has: the CRM's record has taken their place.
  std::vector<std::string> superseded(const CustomerId& customer, Purpose purpose,
                                      const std::vector<ConsentStep>& history) const;
  // What was written here into a record that the CRM takes back: it is about somebody whom this box
  // is not to know.
  struct Recalled {
    std::string id;
    CustomerId customer;
    Purpose purpose;
  };
  std::vector<Recalled> written_into(const std::string& record) const;
  // What the box knows, but for what was given here: of that the CRM's record has no step yet, and
  // is no older for it.
  ConsentStanding standing_without_own(const CustomerId& customer, Purpose purpose) const;
  void forget(const std::vector<std::string>& ids);
  // The CRM's record has them.
  void confirmed(const std::vector<std::string>& ids, const Now& now);
  void forget(const CustomerId& customer) { given_.erase(customer); }
  // What these events told the CRM of was not confirmed as the customer's: the CRM's own record
  // stands again, if there is one.
  Result<void> take_back(const CustomerId& customer, const std::vector<MessageId>& events,
                         contract::Command::Reason why, const Now& now);
  // What nobody has confirmed ends with the visit.
  void end_pending(const Now& now);
  // A consent that the CRM never confirmed was given in the name of somebody it does not know.
  void drop_old(const AgreedTime& agreed, const Now& now);

  // From a video file, or from the camera at the desk when `clip` is null; for welcomectl.
  using Outcome = tl::expected<int, vision::EnrolmentEnd>;  // how many views were taken
  Result<void> enrol(const CustomerId& customer, Clip clip, const Now& now,
                     std::function<void(const std::string&)> progress,
                     std::function<void(Outcome)> done);
  void enrol_progress(std::uint64_t job, vision::Guidance guidance, int views, const Now& now);
  void enrolled(std::uint64_t job, const vision::EnrolmentResult& face, const Now& now);
  void end_late_enrolments(const Now& now);

 private:
  struct Place {          // who is to hear how an enrolment goes on
    std::string tablet;   // empty: nobody
    std::string session;  // the enrolment, as the tablet calls it
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  struct Job {
    CustomerId customer;
    Place place;  // of nobody: welcomectl
    StaffId staff;
    std::string by;    // for the audit trail
    bool live = true;  // at the camera, not from a clip
    MonoTime began;
    MonoTime heard;  // last word of the camera
    std::function<void(vision::Guidance, int views, const Now&)> progress;
    vision::Obstacles obstacles;
    std::function<void(Outcome, const Now&)> done;
  };
  struct Given {
    std::string id;
    Purpose purpose;
    WallTime at;
    std::string record;
    bool pending = false;  // until the CRM's record has it; nobody but this box has seen it
    MonoTime since{};      // given, or read after a start
    Place place{};         // who hears what comes of it; nobody after a start
  };
  struct Draft {
    Given given;
    ConsentRecord record;
    std::string text;
    bool withdrawal = false;
  };

  void look_up(const contract::EnrolMessage& message, const Now& now);
  Result<void> take_consent(const contract::EnrolMessage& message, const Now& now);
  contract::ConsentNews news_of(const Draft& draft, const contract::EnrolMessage& message,
                                const std::string& pledge) const;
  void tell_confirmation(const std::vector<std::string>& ids,
                         contract::EnrolMessage::Confirmed confirmed, const Now& now);
  Result<std::vector<Draft>> draft(const contract::EnrolMessage& message, const Now& now);
  void put_back(const std::vector<ConsentRecord>& before, const Now& now);
  Result<void> take_back(const CustomerId& customer, const Given& given, const Now& now);
  Result<void> enrol_for_tablet(const contract::EnrolMessage& message, const Now& now);
  Result<void> begin(Job job, Clip clip, const Now& now);
  [[nodiscard]] Result<void> store_face(const Job& job, const vision::EnrolledFace& face,
                                        const Now& now);
  void cancel(const Place& place);
  std::optional<ConsentRecord> crm_record(const CustomerId& customer, Purpose purpose) const;
  template <class Wanted>
  void cancel_if(const Wanted& wanted);
  void tell_tablet(const Place& place, contract::EnrolMessage message, const Now& now);

  Shared& shared_;
  Delivery& delivery_;
  FaceWatch& faces_;
  MemberLookup& lookups_;
  Needs& needs_;
  std::unordered_map<CustomerId, std::vector<Given>> given_;  // and not yet in the CRM's record
  std::map<std::uint64_t, Job> jobs_;
  std::uint64_t next_job_ = 1;
};

}  // namespace welcome::daemon
