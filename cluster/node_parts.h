// Node::Parts: what one node is made of, and how an input and a message find the part that takes
// them. Included by node*.cc only: node.cc has the interface and the control image,
// node_dispatch.cc the inputs, node_finish.cc what every step ends with.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "cluster/anti_entropy.h"
#include "cluster/coordinator.h"
#include "cluster/expiry_sweep.h"
#include "cluster/flush_sweep.h"
#include "cluster/handoff.h"
#include "cluster/membership.h"
#include "cluster/messages.h"
#include "cluster/motion.h"
#include "cluster/node.h"
#include "cluster/node_context.h"
#include "cluster/range_coordinator.h"
#include "cluster/reaper.h"
#include "cluster/replica_service.h"
#include "cluster/scrub.h"
#include "cluster/transfer.h"

namespace cartwheel {

struct Node::Parts {
  Parts(NodeOptions options, StorageEngine* engine, Births births)
      : context(std::move(options), engine, births),
        membership(context.options, &context.random, &context.clock),
        service(&context),
        coordinator(&context),
        ranges(&context),
        handoff(&context),
        reaper(&context, &handoff),
        anti_entropy(&context),
        transfer(&context),
        motion(&context, &membership, &transfer, &coordinator),
        expiry(&context.replica),
        flushes(&context.replica),
        scrub(&context.replica, &context.counters) {}

  void Dispatch(const Turn& turn, ClientOp&& op);
  void Dispatch(const Turn& turn, const FrameReceived& frame);
  void Dispatch(const Turn& turn, const Tick&);
  void Dispatch(const Turn& turn, const LinkUp& link);
  void Dispatch(const Turn& turn, const LinkLost& link);

  void Spread(const Turn& turn, uint64_t client, const PublishOperation& operation);

  // The data messages, one overload each.
  void On(const Turn& turn, NodeId, const Publish& m) {
    turn.effects->published.push_back({m.sharded, std::string(m.channel), std::string(m.message)});
  }
  void On(const Turn& turn, NodeId from, const ReadRequest& m) { service.OnRead(turn, from, m); }
  void On(const Turn& turn, NodeId, const CompareRequest& m) { service.OnCompare(turn, m); }
  void On(const Turn& turn, NodeId from, const MintRequest& m) { service.OnMint(turn, from, m); }
  void On(const Turn& turn, NodeId from, const MergeRequest& m) {
    if (service.OnMerge(turn, from, m)) anti_entropy.OnMerged(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const ScanRequest& m) { service.OnScan(turn, from, m); }
  void On(const Turn& turn, NodeId from, const CountRequest& m) {
    flushes.BeforeCount();
    service.OnCount(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const UpdateRequest& m) {
    coordinator.OnUpdateRequest(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const ReadResponse& m) {
    coordinator.OnReadResponse(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const MintResponse& m) {
    coordinator.OnMintResponse(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const MergeResponse& m) {
    if (handoff.OnMergeResponse(from, m) || anti_entropy.OnMergeResponse(turn, m)) return;
    coordinator.OnMergeResponse(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const UpdateResponse& m) {
    coordinator.OnUpdateResponse(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const ScanResponse& m) {
    ranges.OnScanResponse(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const CountResponse& m) {
    ranges.OnCountResponse(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const Ping& m) {
    turn.Respond(from, Pong{.request = m.request});
  }
  void On(const Turn&, NodeId, const Pong&) {}
  void On(const Turn& turn, NodeId from, const HoldsRequest& m) { service.OnHolds(turn, from, m); }
  void On(const Turn& turn, NodeId from, const LeavesRequest& m) {
    service.OnLeaves(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const ReapRequest& m) { reaper.OnRequest(turn, from, m); }
  void On(const Turn& turn, NodeId from, const ReapResponse& m) {
    reaper.OnResponse(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const ReapCommit& m) { reaper.OnCommit(turn, from, m); }
  void On(const Turn& turn, NodeId from, const HoldsResponse& m) {
    handoff.OnHoldsResponse(turn, from, m);
  }
  void On(const Turn&, NodeId from, const LeavesResponse& m) { handoff.OnLeavesResponse(from, m); }
  void On(const Turn& turn, NodeId from, const TreeRequest& m) {
    anti_entropy.OnTreeRequest(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const TreeResponse& m) {
    anti_entropy.OnTreeResponse(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const FetchRequest& m) {
    anti_entropy.OnFetchRequest(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const TransferRequest& m) {
    transfer.OnRequest(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const TransferResponse& m) {
    transfer.OnResponse(turn, from, m);
  }
  void On(const Turn& turn, NodeId from, const MotionReport& m) { motion.OnReport(turn, from, m); }

  // A ring of one that holds data is never given up: membership must know before it acts.
  void NoteData() {
    if (membership.state().members.size() > 1) return;
    membership.SetHasData(context.replica.engine()->stats().records > 0);
  }
  // It is no member any more, and holds nothing: until its process ends it still asks others for
  // its clients.
  bool OnlyCoordinates() const { return membership.removed() && context.ring.has_value(); }
  void NoticePause(const Turn& turn);
  void LogManySiblings(const Turn& turn);
  Ping MakePing(const Now& now);
  void Probe(const Turn& turn);
  void AdoptState(const Turn& turn);
  void MovePlacement(const Turn& turn, uint64_t before);
  std::string ControlImage();
  void NoticeComplete(const Turn& turn);
  void LogSetAside(const Turn& turn);
  void Finish(const Turn& turn);

  NodeContext context;
  Membership membership;
  ReplicaService service;
  Coordinator coordinator;
  RangeCoordinator ranges;
  Handoff handoff;
  Reaper reaper;
  AntiEntropy anti_entropy;
  Transfer transfer;
  Motion motion;
  ExpirySweep expiry;
  FlushSweep flushes;
  Scrub scrub;

  uint64_t adopted_ring = 0;
  uint64_t adopted_epoch = 0;
  uint64_t adopted_placement = 0;
  int64_t probe_us = 0;
  int64_t last_step_us = 0;
  int64_t many_siblings_us = 0;  // from when on it is said again
  bool control_dirty = true;
};

}  // namespace cartwheel
