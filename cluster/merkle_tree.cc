#include "cluster/merkle_tree.h"

#include <algorithm>
#include <string>

#include "base/coding.h"
#include "base/hash.h"
#include "storage/record.h"

namespace cartwheel {

bool MerkleTree::Shares(uint32_t partition) const {
  const uint16_t slot = ring_->FirstSlot(partition);
  return ring_->HasFetched(slot, one_) && ring_->HasFetched(slot, other_);
}

bool MerkleTree::Has(TreeLevel level, uint64_t index) const {
  const auto slot_shared = [this](uint64_t slot) {
    return slot < kSlotCount && Shares(ring_->PartitionOf(static_cast<uint16_t>(slot)));
  };
  switch (level) {
    case TreeLevel::kRoot: return index == 0;
    case TreeLevel::kPartition:
      return index < ring_->partition_count() && Shares(static_cast<uint32_t>(index));
    case TreeLevel::kSlot: return slot_shared(index);
    case TreeLevel::kLeaf: return slot_shared(index / kBucketsPerSlot);
  }
  return false;
}

uint64_t MerkleTree::Sum(TreeLevel level, uint32_t index) const {
  switch (level) {
    case TreeLevel::kRoot: {
      std::string sums;
      for (const uint32_t partition : Children(level, index)) {
        PutFixed64(&sums, Sum(TreeLevel::kPartition, partition));
      }
      return Hash64(sums);
    }
    case TreeLevel::kPartition:
      return engine_->SumOfLeaves(ring_->FirstSlot(index) * kBucketsPerSlot,
                                  (ring_->LastSlot(index) + 1U) * kBucketsPerSlot);
    case TreeLevel::kSlot:
      return engine_->SumOfLeaves(index * kBucketsPerSlot, (index + 1) * kBucketsPerSlot);
    case TreeLevel::kLeaf: return engine_->LeafSum(index);
  }
  return 0;
}

std::vector<uint32_t> MerkleTree::Children(TreeLevel level, uint32_t index) const {
  std::vector<uint32_t> children;
  const auto append = [&children](uint32_t first, uint32_t end) {
    for (uint32_t child = first; child < end; ++child) children.push_back(child);
  };
  switch (level) {
    case TreeLevel::kRoot:
      for (uint32_t partition = 0; partition < ring_->partition_count(); ++partition) {
        if (Shares(partition)) children.push_back(partition);
      }
      break;
    case TreeLevel::kPartition: append(ring_->FirstSlot(index), ring_->LastSlot(index) + 1U); break;
    case TreeLevel::kSlot: append(index * kBucketsPerSlot, (index + 1) * kBucketsPerSlot); break;
    case TreeLevel::kLeaf: break;
  }
  return children;
}

Result<std::optional<Position>> MerkleTree::List(const Position& first, const Position& last,
                                                 size_t limit,
                                                 std::vector<VersionAt>* versions) const {
  std::optional<Position> stopped;
  const auto scanned =
      engine_->Scan(first, last, [&](const Position& position, std::string_view image) {
        if (limit == 0) {
          stopped = position;
          return false;
        }
        --limit;
        // What is damaged is as good as not there: the peer sends its own.
        if (const auto record = ReadIntact(image)) {
          versions->push_back({position, record->version_hash});
        }
        return true;
      });
  if (!scanned) return tl::unexpected(scanned.error());
  return stopped;
}

}  // namespace cartwheel
