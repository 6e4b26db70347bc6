// MerkleTree: what two replicas compare (Dynamo, section 4.7): a tree of sums over the keys that
// both hold. Root, partitions, slots, leaves (Merkle buckets), and under each leaf the versions by
// position. A view of an engine, which keeps the leaf sums exact at every write: nothing is built
// and nothing goes stale. Both nodes see the same shape as long as they know the same ring.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cluster/ring.h"
#include "cluster/tree_coding.h"
#include "storage/engine.h"

namespace cartwheel {

inline constexpr Position FirstOfLeaf(uint32_t leaf) {
  return {static_cast<uint16_t>(leaf / kBucketsPerSlot), uint64_t{leaf % kBucketsPerSlot} << 60, 0};
}
inline constexpr Position LastOfLeaf(uint32_t leaf) {
  return {static_cast<uint16_t>(leaf / kBucketsPerSlot),
          (uint64_t{leaf % kBucketsPerSlot} << 60) | (UINT64_MAX >> 4), UINT64_MAX};
}

class MerkleTree {
 public:
  // Of what both nodes hold; what one still fetches comes by transfer, once and at its rate
  // (cluster/transfer.h). `engine` and `ring` outlive the view.
  MerkleTree(const StorageEngine* engine, const Ring* ring, NodeId one, NodeId other)
      : engine_(engine), ring_(ring), one_(one), other_(other) {}

  // The root's index is 0, the others' are their own numbers.
  bool Has(TreeLevel level, uint64_t index) const;
  uint64_t Sum(TreeLevel level, uint32_t index) const;
  // Indexes, ascending, of what is below; not for leaves.
  std::vector<uint32_t> Children(TreeLevel level, uint32_t index) const;

  // Appends the versions at first <= position <= last, in order, at most `limit` of them; where it
  // stopped, when there are more.
  Result<std::optional<Position>> List(const Position& first, const Position& last, size_t limit,
                                       std::vector<VersionAt>* versions) const;

 private:
  bool Shares(uint32_t partition) const;

  const StorageEngine* engine_;
  const Ring* ring_;
  NodeId one_;
  NodeId other_;
};

}  // namespace cartwheel
