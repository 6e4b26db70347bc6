// PlacementLeveling: exchanges among what a change of members moves anyway, until the seats hold as
// many replicas as their shares of the partitions ask for and lists took in as few new seats as may
// be. Where any n neighbours stand on distinct nodes and zones both come by themselves; this is for
// circles on which they cannot, by their zones, weights or size. For more seats than n.
#pragma once

#include "cluster/placement_circle.h"

namespace cartwheel {

void LevelPlacement(PlacementCircle* circle);

}  // namespace cartwheel
