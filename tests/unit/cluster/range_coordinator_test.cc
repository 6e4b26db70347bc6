// Counts over the ring, at a coordinator that hears nothing but what the test says.
#include "cluster/range_coordinator.h"

#include <gtest/gtest.h>

#include "tests/unit/cluster/ring_of_three.h"

namespace cartwheel {
namespace {

constexpr int64_t kMs = 1000;

class RangeCoordinatorTest : public testing::Test, public RingOfThree {
 protected:
  // The answers and the number of questions to peers.
  template <typename Work>
  std::pair<size_t, size_t> At(int64_t ms, Work work) {
    effects_.Clear();
    work(Turn{{ms * kMs, ms}, &effects_});
    return {effects_.answers.size(), effects_.outbox.sends.size()};
  }

  RangeCoordinator ranges_{&context_};
  Effects effects_;
};

// Links that break again and again do not put the answer off.
TEST_F(RangeCoordinatorTest, ACountThatBeginsAgainHasTheTimeItHad) {
  const auto lose = [&](const Turn& turn) { ranges_.OnPeerLost(turn, 2); };
  const auto tick = [&](const Turn& turn) { ranges_.Tick(turn); };
  EXPECT_EQ(At(0, [&](const Turn& turn) { ranges_.Start(turn, 7, CountOperation{0}); }),
            std::make_pair(size_t{0}, size_t{2}));
  EXPECT_EQ(At(300, lose), std::make_pair(size_t{0}, size_t{2}));
  EXPECT_EQ(At(499, tick).first, 0U);
  EXPECT_EQ(At(501, tick).first, 1U);
  EXPECT_EQ(ranges_.NextDeadline(), INT64_MAX);
}

}  // namespace
}  // namespace cartwheel
