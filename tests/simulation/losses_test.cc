#include "tests/simulation/losses.h"

#include <gtest/gtest.h>

namespace cartwheel::sim {
namespace {

constexpr int64_t kSecondUs = 1'000'000;

class LossesTest : public testing::Test, public WorldObserver {
 protected:
  LossesTest() : world_(FiveNodes(), this), losses_(&world_) {
    for (int i = 0; i < world_.size(); ++i) world_.Start(i);
    Run(10);
  }

  static WorldOptions FiveNodes() {
    WorldOptions options;
    options.nodes = 5;
    options.settings.partitions = 16;
    options.transfer_rate_bytes = 100;  // a partition of a few values takes a minute
    return options;
  }

  void Run(int64_t seconds) { world_.RunUntil(world_.now_us() + seconds * kSecondUs); }

  void OnAnswer(int, const Answer&) override {}
  void OnNodeDown(int) override {}
  void OnPut(int, const Position&, std::string_view) override {}
  void OnDrop(int, const Position&, std::string_view) override {}
  void OnStep(int, const CausalContext*) override {}

  World world_;
  Losses losses_;
};

TEST_F(LossesTest, ADiskMayLoseDataOnceTheLastOneThatDidIsWhole) {
  EXPECT_TRUE(losses_.MayStrike(0));
  losses_.Crash(0, Loss::kAll);
  EXPECT_FALSE(losses_.MayStrike(1));
  world_.Start(0);
  Run(10);
  EXPECT_TRUE(losses_.MayStrike(0));
  EXPECT_TRUE(losses_.MayStrike(1));
}

// A slot that a removed node had may have one copy less until its data is elsewhere.
TEST_F(LossesTest, NobodyMayWhileAGoneNodesDataIsOnItsWayWhateverCameBetween) {
  for (uint64_t i = 1; i <= 50; ++i) {
    const Key key{0, "key:" + std::to_string(i)};
    ASSERT_TRUE(world_.Submit(
        0, {i, PutOperation{.key = key, .context = {}, .bytes = std::string(2000, 'x')}}));
  }
  Run(3);
  losses_.GoForGood(4);
  Run(10);
  ASSERT_TRUE(world_.Submit(0, {1, RemoveOperation{{World::IdOf(4)}, false}}));
  Run(5);
  losses_.Blackout();
  for (int i = 0; i < 4; ++i) world_.Start(i);
  Run(10);
  ASSERT_TRUE(world_.node(0).state().in_motion());
  ASSERT_EQ(world_.node(0).state().Find(World::IdOf(4)), nullptr);
  EXPECT_FALSE(losses_.MayStrike(0));

  Run(900);
  ASSERT_FALSE(world_.node(0).state().in_motion());
  EXPECT_TRUE(losses_.MayStrike(0));
}

}  // namespace
}  // namespace cartwheel::sim
