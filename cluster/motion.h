// Motion: brings a ring in motion from phase to phase (docs/architecture.md, "A ring in motion").
// The phases are decided in the cluster state; what one needs to end is told by those who have it:
//   fetch   every gainer, once it has fetched and synced all (cluster/transfer.h);
//   switch  of each partition that moves enough of those who served it, that they know of the
//           switch, and that what they had begun before is done: no read by the old ring can then
//           have a quorum that does not know.
// Reports go to a few members, again and again until the phase is over; of those who have heard
// them all, the first in the order of ids proposes its end. At the very end a member that leaves
// and holds nothing any more departs.
#pragma once

#include <cstdint>
#include <vector>

#include "cluster/coordinator.h"
#include "cluster/membership.h"
#include "cluster/messages.h"
#include "cluster/node_context.h"
#include "cluster/transfer.h"

namespace cartwheel {

class Motion {
 public:
  Motion(NodeContext* context, Membership* membership, const Transfer* transfer,
         Coordinator* coordinator)
      : context_(context),
        membership_(membership),
        transfer_(transfer),
        coordinator_(coordinator) {}

  void OnPlacementChanged(const Turn& turn);
  void OnReport(const Turn& turn, NodeId from, const MotionReport& report);
  void Tick(const Turn& turn);
  int64_t NextDeadline() const;  // in mono_us

  // For whom the phase waits, as far as this node has heard; none when the ring rests.
  std::vector<NodeId> WaitsFor() const;

 private:
  static constexpr size_t kMostListeners = 16;
  static constexpr int64_t kPollUs = 20'000;
  static constexpr int64_t kRankUs = 300'000;

  bool HasReported(NodeId node) const;
  // This node's own part of the phase.
  bool HasPart() const;
  bool HasDonePart();
  void Note(NodeId node);
  bool IsOver() const;
  void Report(const Turn& turn);
  void Depart(const Turn& turn);

  NodeContext* context_;
  Membership* membership_;
  const Transfer* transfer_;
  Coordinator* coordinator_;
  std::vector<NodeId> gainers_;
  std::vector<NodeId> reported_;  // of this placement version
  int64_t report_us_ = 0;
  int64_t over_us_ = 0;  // since when this node knows that the phase is over; 0: it is not
  int64_t next_us_ = 0;
};

}  // namespace cartwheel
